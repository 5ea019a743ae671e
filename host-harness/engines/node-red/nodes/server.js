'use strict';
// The configuration of a server, and what the edit dialogs ask of it.

const { Server, apiPath, mainSlot } = require('../lib/api.js');

module.exports = function (RED) {
	function ServerNode(config) {
		RED.nodes.createNode(this, config);
		this.name = config.name;
		try {
			this.server = new Server(config.url, this.credentials.token);
		} catch (error) {
			this.error(error.message);
		}
	}
	RED.nodes.registerType('workflow-node-server', ServerNode, {
		credentials: { token: { type: 'password' } },
	});

	const kindOf = (kind) => (kind === 'triggers' ? 'triggers' : 'actions');
	const described = ({ name, title, description }) => ({ name, title, description });
	const lists = {
		async health(server) {
			return await server.json('GET', apiPath('health'));
		},
		async plugins(server) {
			const all = await server.entries(apiPath('plugins'), 'plugins');
			return all.map((one) => described({ ...one, title: one.display_name }));
		},
		async resources(server, { plugin }) {
			const path = apiPath('plugins', plugin, 'resources');
			return (await server.entries(path, 'resources')).map(described);
		},
		async actions(server, { plugin, resource }) {
			const path = apiPath('plugins', plugin, 'actions');
			return (await server.entries(path, 'actions', { resource })).map(described);
		},
		async triggers(server, { plugin }) {
			const path = apiPath('plugins', plugin, 'triggers');
			return (await server.entries(path, 'triggers')).map(described);
		},
		async form(server, { plugin, kind, name }) {
			const { form, slots } = await server.json('GET', apiPath('plugins', plugin, kindOf(kind), name));
			return { form, slot: mainSlot(slots) };
		},
		async accounts(server, { plugin, slot }) {
			const all = await server.entries(apiPath('credentials'), 'credentials', { plugin, slot });
			return all.map(({ name, description, status }) => ({
				name,
				title: status === 'connected' ? name : `${name} (${status})`,
				description,
			}));
		},
		async choices(server, { plugin, kind, name, slot, account, parameter, parameters, search }) {
			const path = apiPath('plugins', plugin, kindOf(kind), name, 'options');
			const body = { parameter, parameters: JSON.parse(parameters || '{}') };
			if (slot && account) body.credentials = { [slot]: account };
			if (search) body.search = search;
			return (await server.json('POST', path, { body })).choices;
		},
	};

	// Only the servers of deployed flows are asked, and only for people who may edit flows.
	RED.httpAdmin.get(
		'/workflow-node/:id/:list',
		RED.auth.needsPermission('flows.write'),
		async (request, response) => {
			const server = RED.nodes.getNode(request.params.id)?.server;
			const list = Object.hasOwn(lists, request.params.list) ? lists[request.params.list] : undefined;
			if (!server || !list) {
				response.status(404).json({ message: 'Deploy the configuration of the server first.' });
				return;
			}
			try {
				response.json(await list(server, request.query));
			} catch (error) {
				response.status(502).json({ message: error.message });
			}
		},
	);
};
