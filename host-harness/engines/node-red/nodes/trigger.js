'use strict';
// Sends a message for each event of a trigger. It asks the server for events, which keeps them until the
// node asks for the ones behind them.

const { setTimeout: sleep } = require('node:timers/promises');
const { promisify } = require('node:util');
const { ServerError, apiPath, mainSlot } = require('../lib/api.js');

/** How long the server waits for an event, in milliseconds. */
const WAIT = 30_000;
/** Milliseconds before the next attempt, if the server cannot be reached. */
const PAUSE = 5_000;

module.exports = function (RED) {
	const evaluate = promisify(RED.util.evaluateNodeProperty);

	function TriggerNode(config) {
		RED.nodes.createNode(this, config);
		const node = this;
		const closed = new AbortController();
		const { signal } = closed;
		const id = `node-red-${RED.settings.get('instanceId') ?? ''}-${node.id}`.replace(/[^\w.-]/g, '-');
		let server;

		async function subscribe() {
			const { plugin, trigger, account } = config;
			const path = apiPath('plugins', plugin, 'triggers', trigger);
			const { slots } = await server.json('GET', path, { signal });
			const slot = mainSlot(slots);
			const parameters = {};
			for (const { name, value, type } of config.fields ?? []) {
				const given = await evaluate(value, type, node, {});
				if (given !== undefined && given !== '') parameters[name] = given;
			}
			const workflow = `node-red ${node.name || node.id}`.slice(0, 500);
			const credentials = slot && account ? { [slot]: account } : {};
			await server.json('PUT', apiPath('subscriptions', id), {
				body: { plugin, trigger, credentials, parameters, workflow },
				signal,
			});
		}

		async function receive() {
			const path = apiPath('subscriptions', id, 'events');
			let after = 0;
			while (!signal.aborted) {
				const page = await server.json('GET', path, { query: { after, wait_ms: WAIT }, signal });
				for (const { event, ...delivery } of page.events) {
					node.send({ payload: event, delivery });
				}
				({ after } = page);
			}
		}

		async function listen() {
			server = RED.nodes.getNode(config.server)?.server;
			if (!server) throw new ServerError('Choose a server');
			while (!signal.aborted) {
				try {
					await subscribe();
					node.status({ fill: 'green', shape: 'dot', text: 'subscribed' });
					await receive();
				} catch (error) {
					if (signal.aborted) return;
					node.status({ fill: 'red', shape: 'ring', text: error.code ?? 'failed' });
					node.error(error.message);
					await sleep(PAUSE, undefined, { signal }).catch(() => undefined);
				}
			}
		}

		const listening = listen().catch((error) => {
			node.status({ fill: 'red', shape: 'ring', text: 'failed' });
			node.error(error.message);
		});

		node.on('close', async (isRemoved, done) => {
			closed.abort();
			await listening;
			try {
				if (isRemoved && server) await server.request('DELETE', apiPath('subscriptions', id));
			} catch (error) {
				node.warn(`The subscription ${id} could not be removed: ${error.message}`);
			}
			done();
		});
	}
	RED.nodes.registerType('workflow-node-trigger', TriggerNode);
};
