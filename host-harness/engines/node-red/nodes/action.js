'use strict';
// Runs an action for each message. Registers the trigger, too, which shares the edit dialog.

const { randomUUID } = require('node:crypto');
const { promisify } = require('node:util');
const { ServerError, apiPath, mainSlot } = require('../lib/api.js');

module.exports = function (RED) {
	const evaluate = promisify(RED.util.evaluateNodeProperty);

	function ActionNode(config) {
		RED.nodes.createNode(this, config);
		const node = this;
		const running = new Set();
		let slot;

		/** The slot of the account. It is asked for once. */
		async function slotOf(server) {
			slot ??= server
				.json('GET', apiPath('plugins', config.plugin, 'actions', config.action))
				.then(({ slots }) => mainSlot(slots));
			try {
				return await slot;
			} catch (error) {
				slot = undefined;
				throw error;
			}
		}

		async function parametersOf(message) {
			if (config.mode === 'payload') {
				const { payload } = message;
				if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
					throw new ServerError('msg.payload is not an object with the parameters');
				}
				return payload;
			}
			const parameters = {};
			for (const { name, value, type } of config.fields ?? []) {
				const given = await evaluate(value, type, node, message);
				if (given !== undefined && given !== '') parameters[name] = given;
			}
			return parameters;
		}

		node.on('input', async (message, send, done) => {
			const cancellation = new AbortController();
			running.add(cancellation);
			node.status({ fill: 'blue', shape: 'dot', text: `${running.size} running` });
			let failure;
			try {
				const server = RED.nodes.getNode(config.server)?.server;
				if (!server) throw new ServerError('Choose a server');
				if (!config.plugin || !config.action) throw new ServerError('Choose a plugin and an action');
				const parameters = await parametersOf(message);
				const name = await slotOf(server);
				// Messages that are sent again, for instance after an error, may set it to run once.
				const executionId = message.executionId ?? `node-red-${randomUUID()}`;
				const records = await server.execute({
					plugin: config.plugin,
					action: config.action,
					credentials: name && config.account ? { [name]: config.account } : {},
					parameters,
					executionId,
					workflow: `node-red ${node.name || node.id}`.slice(0, 500),
					signal: cancellation.signal,
				});
				message.executionId = executionId;
				if (config.output === 'each') {
					const id = RED.util.generateId();
					records.forEach((payload, index) => {
						const parts = { id, index, count: records.length, type: 'array', len: 1 };
						send({ ...RED.util.cloneMessage(message), payload, parts });
					});
				} else {
					message.payload = records;
					send(message);
				}
			} catch (error) {
				failure = error;
			}
			running.delete(cancellation);
			if (failure) {
				node.status({ fill: 'red', shape: 'ring', text: failure.code ?? 'failed' });
				done(failure);
				return;
			}
			node.status(running.size > 0 ? { fill: 'blue', shape: 'dot', text: `${running.size} running` } : {});
			done();
		});

		node.on('close', () => {
			for (const cancellation of running) cancellation.abort();
		});
	}
	RED.nodes.registerType('workflow-node', ActionNode);
	require('./trigger.js')(RED);
};
