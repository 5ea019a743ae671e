// The package in a real n8n, in its editor in Chromium, on a real server. Started by `run`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { convert } from '../convert/convert.mjs';
import { startServer, until } from '../tests/support.mjs';
import { openBrowser } from './editor.mjs';
import { freePorts, signIn, startN8n } from './n8n.mjs';

const { N8N_BINARY, N8N_HOME, SCREENSHOTS = join(N8N_HOME, 'screenshots'), PAGERDUTY_MAP } = process.env;
const [port, broker, brokerOfCommand] = await freePorts(3);
let server;
let n8n;
let api;
let credential;

before(async () => {
	await mkdir(SCREENSHOTS, { recursive: true });
	server = await startServer('--record');
	const origin = `http://127.0.0.1:${port}`;
	// The server delivers events through a proxy that records them.
	const deliveries = await server.ask({ do: 'record', url: origin });
	const options = ['--role', 'run', '--role', 'connect', '--deliver-to', deliveries];
	server.token = await server.ask({ do: 'token', name: 'n8n', options });
	const env = { WEBHOOK_URL: `${deliveries}/` };
	n8n = await startN8n({ binary: N8N_BINARY, home: N8N_HOME, port, broker, env });
	api = await signIn(n8n.url);
	const data = { url: server.url, token: server.token };
	const saved = await api.send('POST', '/rest/credentials', {
		name: 'Harness',
		type: 'workflowNodeApi',
		data,
	});
	credential = { id: saved.id, name: 'Harness' };
});
after(async () => {
	await n8n?.close();
	await server?.close();
});

const incidents = async (beginning) => {
	const all = await server.ask({ do: 'incidents' });
	return all.filter(({ title }) => title.startsWith(beginning));
};

/** A workflow in which a node receives items. */
function workflowOf(name, items, node) {
	const to = (next) => ({ main: [[{ node: next, type: 'main', index: 0 }]] });
	const at = (id, type, typeVersion, parameters, x) => ({
		id,
		name: id,
		type: `n8n-nodes-base.${type}`,
		typeVersion,
		position: [x, 0],
		parameters,
	});
	const jsonOutput = JSON.stringify({ items });
	return {
		name,
		nodes: [
			at('Start', 'manualTrigger', 1, {}, 0),
			at('Set', 'set', 3.4, { mode: 'raw', jsonOutput, options: {} }, 200),
			at('Items', 'splitOut', 1, { fieldToSplitOut: 'items', options: {} }, 400),
			{ id: 'node', name: 'Workflow Node', typeVersion: 1, position: [600, 0], ...node },
		],
		connections: { Start: to('Set'), Set: to('Items'), Items: to('Workflow Node') },
		settings: { executionOrder: 'v1' },
	};
}

const ours = (parameters, more = {}) => ({
	type: 'n8n-nodes-workflow-node.workflowNode',
	parameters,
	credentials: { workflowNodeApi: credential },
	...more,
});

/** Runs a workflow as `n8n execute` does, and returns the outputs of its last node. */
async function execute(workflow) {
	const { id } = await api.send('POST', '/rest/workflows', workflow);
	const env = {
		...process.env,
		N8N_USER_FOLDER: N8N_HOME,
		N8N_RUNNERS_BROKER_PORT: String(brokerOfCommand),
		N8N_DIAGNOSTICS_ENABLED: 'false',
	};
	const started = Date.now();
	const arguments_ = [N8N_BINARY, 'execute', `--id=${id}`, '--rawOutput'];
	const run = promisify(execFile)(process.execPath, arguments_, { env, maxBuffer: 1 << 26 });
	const { stdout, stderr, code } = await run.catch((error) => error);
	// One JSON document, among other lines.
	const text = /^\{[\s\S]*?^\}/m.exec(stdout)?.[0];
	assert.ok(text, `n8n execute has printed no result: ${code} ${stdout.slice(-2000)} ${stderr}`);
	const { data, status } = JSON.parse(text);
	const runs = data.resultData.runData;
	const last = runs[data.resultData.lastNodeExecuted].at(-1);
	return { main: last.data?.main, error: last.error, status, code, ms: Date.now() - started, id };
}

test('the connection test of the credential reaches the server', async (t) => {
	t.diagnostic(`n8n started in ${n8n.startMs} ms`);
	const check = (data) =>
		api.send('POST', '/rest/credentials/test', {
			credentials: { ...credential, type: 'workflowNodeApi', data },
		});
	assert.equal((await check({ url: server.url, token: server.token })).status, 'OK');
	assert.equal((await check({ url: server.url, token: 'wrong' })).status, 'Error');
	assert.equal((await check({ url: 'http://127.0.0.1:9', token: server.token })).status, 'Error');
});

test('a person fills the form in the editor, and sees three results and one error', async () => {
	const items = [0, 1, 2, 3].map((n) => ({
		title: `From the editor ${n}`,
		service: n === 2 ? 'PNOSUCH' : server.service,
	}));
	const node = ours({}, { onError: 'continueRegularOutput' });
	const { id } = await api.send('POST', '/rest/workflows', workflowOf('Editor', items, node));
	const editor = await openBrowser(n8n, api);
	const shot = (name) => editor.screenshot(join(SCREENSHOTS, `${name}.png`));
	try {
		await editor.openNode(id, 'Workflow Node');
		await editor.choose('plugin', 'PagerDuty');
		await editor.choose('resource', 'Incidents');
		const actions = await editor.open('action');
		await shot('actions');
		await actions.filter({ hasText: 'Create an incident' }).first().click();
		await editor.choose('account', 'work');
		await editor.setExpression('title', '{{ $json.title }}');
		await editor.setExpression('service_id', '{{ $json.service }}');
		await shot('form');
		await editor.executeNode();
		await shot('result');
		assert.match(await editor.output(), /4 items/);
		const query = encodeURIComponent(JSON.stringify({ workflowId: id }));
		const { results } = await api.send('GET', `/rest/executions?filter=${query}`);
		const { data, status } = await api.send('GET', `/rest/executions/${results[0].id}`);
		assert.equal(status, 'success');
		for (const n of [0, 1, 2, 3]) assert.ok(data.includes(`"From the editor ${n}"`));
		assert.match(data, /"not-found"|"invalid-input"/);
	} catch (error) {
		await shot('failure');
		throw error;
	} finally {
		await editor.close();
	}
	assert.equal((await incidents('From the editor')).length, 3);
});

test('hundreds of items are one call', async (t) => {
	const items = Array.from({ length: 600 }, (_, n) => ({ n }));
	const parameters = {
		plugin: { __rl: true, mode: 'name', value: 'pagerduty' },
		action: { __rl: true, mode: 'name', value: 'service.get' },
		account: { __rl: true, mode: 'name', value: 'work' },
		mode: 'json',
		json: `={{ { service_id: "${server.service}", simplify: true } }}`,
	};
	const { main, ms } = await execute(workflowOf('Hundreds', items, ours(parameters)));
	assert.equal(main[0].length, 600);
	assert.deepEqual(main[0][599].pairedItem, { item: 599 });
	t.diagnostic(`${ms} ms, with the start of n8n`);
});

test('a failed item ends at the error output, and fails a node that has none', async () => {
	const value = { title: '={{ $json.title }}', service_id: '={{ $json.service }}' };
	const parameters = {
		plugin: { __rl: true, mode: 'name', value: 'pagerduty' },
		action: { __rl: true, mode: 'name', value: 'incident.create' },
		account: { __rl: true, mode: 'name', value: 'work' },
		mode: 'form',
		parameters: { mappingMode: 'defineBelow', value, schema: [] },
	};
	const items = [
		{ title: 'Output 0', service: server.service },
		{ title: 'Output 1', service: 'PNOSUCH' },
	];
	const both = await execute(
		workflowOf('Outputs', items, ours(parameters, { onError: 'continueErrorOutput' })),
	);
	assert.deepEqual(both.main.map((output) => output.length), [1, 1]);
	assert.equal(both.main[0][0].json.title, 'Output 0');
	assert.equal(both.main[1][0].json.title, 'Output 1');
	assert.equal(typeof both.main[1][0].json.error.kind, 'string');
	const failed = await execute(workflowOf('Fails', items, ours(parameters)));
	assert.equal(failed.status, 'error');
	assert.equal(failed.error.context.itemIndex, 1);
});

test('Retry On Fail repeats nothing', async () => {
	const value = { incident_id: '={{ $json.incident }}', content: 'Retried' };
	const parameters = {
		plugin: { __rl: true, mode: 'name', value: 'pagerduty' },
		action: { __rl: true, mode: 'name', value: 'incident_note.create' },
		account: { __rl: true, mode: 'name', value: 'work' },
		mode: 'form',
		parameters: { mappingMode: 'defineBelow', value, schema: [] },
		options: { concurrency: 1 },
	};
	const items = [{ incident: 'QINCIDENT00001' }, { incident: 'QNOSUCH' }];
	const retry = { retryOnFail: true, maxTries: 3, waitBetweenTries: 100 };
	const { status } = await execute(workflowOf('Retries', items, ours(parameters, retry)));
	assert.equal(status, 'error');
	const notes = await server.ask({ do: 'service', path: '/incidents/QINCIDENT00001/notes' });
	assert.equal(notes.notes.filter(({ content }) => content === 'Retried').length, 1);
});

test('a converted workflow runs', async () => {
	const map = JSON.parse(await readFile(PAGERDUTY_MAP, 'utf8'));
	const loadForm = async (action) => {
		const headers = { authorization: `Bearer ${server.token}` };
		const response = await fetch(`${server.url}/v1/plugins/pagerduty/actions/${action}`, { headers });
		return (await response.json()).form;
	};
	const parameters = {
		title: '=Converted {{ $json.n }}',
		serviceId: server.service,
		email: 'ada@example.com',
		additionalFields: { urgency: 'low' },
	};
	const old = workflowOf('Old', [{ n: 1 }], { type: 'n8n-nodes-base.pagerDuty', parameters });
	const { workflow } = await convert(old, map, { account: 'work', credential, loadForm });
	const { main } = await execute(workflow);
	assert.deepEqual([main[0][0].json.title, main[0][0].json.urgency], ['Converted 1', 'low']);
});

test('the importable workflow with HTTP Request runs without the package', async () => {
	const path = fileURLToPath(new URL('../workflows/http-request.json', import.meta.url));
	const text = (await readFile(path, 'utf8'))
		.replace('http://127.0.0.1:7410', server.url)
		.replace('PSVC1', server.service);
	const workflow = JSON.parse(text);
	const bearer = await api.send('POST', '/rest/credentials', {
		name: 'Harness token',
		type: 'httpBearerAuth',
		data: { token: server.token },
	});
	for (const node of workflow.nodes) {
		if (node.type.endsWith('httpRequest')) {
			node.credentials = { httpBearerAuth: { id: bearer.id, name: 'Harness token' } };
		}
	}
	const { main } = await execute(workflow);
	assert.equal(main[0][0].json.title, 'Checkout fails');
	assert.equal((await incidents('Checkout fails')).length, 1);
});

test("n8n's MCP Client runs an action without the package", async () => {
	const options = ['--role', 'run', '--effect', 'read', '--effect', 'create'];
	const token = await server.ask({ do: 'token', name: 'mcp', options });
	const bearer = await api.send('POST', '/rest/credentials', {
		name: 'MCP token',
		type: 'httpBearerAuth',
		data: { token },
	});
	const arguments_ = {
		plugin: 'pagerduty',
		action: 'incident.create',
		parameters: { title: 'Over MCP from n8n', service_id: server.service },
		execution_id: 'n8n-mcp-1',
	};
	const node = {
		type: '@n8n/n8n-nodes-langchain.mcpClient',
		typeVersion: 1.1,
		parameters: {
			serverTransport: 'httpStreamable',
			endpointUrl: `${server.url}/mcp`,
			authentication: 'bearerAuth',
			tool: { __rl: true, mode: 'id', value: 'run_action' },
			inputMode: 'json',
			jsonInput: JSON.stringify(arguments_),
			options: {},
		},
		credentials: { httpBearerAuth: { id: bearer.id, name: 'MCP token' } },
	};
	const { main, error } = await execute(workflowOf('MCP', [{}], node));
	assert.equal(error, undefined);
	assert.equal(main[0][0].json.structuredContent.items[0].output[0].title, 'Over MCP from n8n');
	assert.equal((await incidents('Over MCP from n8n')).length, 1);
});

/** A workflow that an event of an account starts. */
const triggered = (name, account, next) => ({
	name,
	nodes: [
		{
			id: 'trigger',
			name: 'Workflow Node Trigger',
			type: 'n8n-nodes-workflow-node.workflowNodeTrigger',
			typeVersion: 1,
			position: [0, 0],
			webhookId: randomUUID(),
			parameters: {
				plugin: { __rl: true, mode: 'name', value: 'pagerduty' },
				trigger: { __rl: true, mode: 'name', value: 'event' },
				account: { __rl: true, mode: 'name', value: account },
				mode: 'json',
				json: '{"events": ["incident.triggered"]}',
			},
			credentials: { workflowNodeApi: credential },
		},
		{ id: 'next', name: 'Next', typeVersion: 1, position: [200, 0], ...next },
	],
	connections: {
		'Workflow Node Trigger': { main: [[{ node: 'Next', type: 'main', index: 0 }]] },
	},
	settings: { executionOrder: 'v1' },
});

const headers = () => ({ authorization: `Bearer ${server.token}` });

/** The number of subscriptions of the server. */
const countSubscriptions = async () => {
	const response = await fetch(`${server.url}/v1/subscriptions`, { headers: headers() });
	return (await response.json()).subscriptions.length;
};

/** Waits until the server has as many subscriptions. */
const subscriptions = (count) =>
	until(`${count} subscriptions`, async () => (await countSubscriptions()) === count);

/** Creates an incident, without n8n. */
const open = async (title) => {
	const response = await fetch(`${server.url}/v1/plugins/pagerduty/actions/incident.create/execute`, {
		method: 'POST',
		headers: { ...headers(), 'content-type': 'application/json' },
		body: JSON.stringify({
			credentials: { rest: 'work' },
			items: [{ title, service_id: server.service }],
		}),
	});
	assert.equal((await response.json()).items[0].status, 'ok');
};

/** Waits until an execution of a workflow has ended, and returns it with its data. */
const ended = async (workflow, mode) => {
	const query = encodeURIComponent(JSON.stringify({ workflowId: workflow }));
	const found = await until(`an execution in the mode ${mode}`, async () => {
		const { results } = await api.send('GET', `/rest/executions?filter=${query}`);
		return results.find((one) => one.mode === mode && one.stoppedAt);
	});
	const { data, status } = await api.send('GET', `/rest/executions/${found.id}`);
	assert.equal(status, 'success', data);
	return data;
};

test('an event at the service starts an active workflow', async () => {
	const noOp = { type: 'n8n-nodes-base.noOp', parameters: {} };
	const { id, versionId } = await api.send('POST', '/rest/workflows', triggered('Triggered', 'work', noOp));
	// n8n activates and deactivates a moment after it has answered.
	await api.send('POST', `/rest/workflows/${id}/activate`, { versionId });
	await subscriptions(1);
	await open('Starts a workflow');
	assert.ok((await ended(id, 'webhook')).includes('"Starts a workflow"'));

	// A person who listens for a test event shares the webhook of the active workflow.
	const webhooks = async () => {
		const list = await server.ask({ do: 'service', path: '/webhook_subscriptions' });
		return list.webhook_subscriptions.length;
	};
	const before = await webhooks();
	const listen = async () => {
		const workflow = await api.send('GET', `/rest/workflows/${id}`);
		const body = { workflowData: workflow, destinationNode: { nodeName: 'Next', mode: 'inclusive' } };
		const { waitingForWebhook } = await api.send('POST', `/rest/workflows/${id}/run`, body);
		assert.equal(waitingForWebhook, true);
	};
	await listen();
	await subscriptions(2);
	assert.equal(await webhooks(), before);
	await api.send('DELETE', `/rest/test-webhook/${id}`);
	await subscriptions(1);
	await api.send('POST', `/rest/workflows/${id}/deactivate`, {});
	await subscriptions(0);

	// Without an active workflow, the test event is the last one that came.
	const without = await webhooks();
	await listen();
	assert.ok((await ended(id, 'manual')).includes('"Starts a workflow"'));
	assert.equal(await webhooks(), without);
	await subscriptions(0);
});

test('no memory, traffic, or file of n8n holds a secret of the service', async () => {
	const title = 'A canary from n8n';
	await server.ask({ do: 'connect-user', name: 'team' });
	const note = ours({
		plugin: { __rl: true, mode: 'name', value: 'pagerduty' },
		action: { __rl: true, mode: 'name', value: 'incident_note.create' },
		account: { __rl: true, mode: 'name', value: 'team' },
		mode: 'json',
		json: JSON.stringify({ incident_id: 'QINCIDENT00001', content: title }),
	});
	const before = await countSubscriptions();
	const workflow = triggered('Canary', 'team', note);
	const { id, versionId } = await api.send('POST', '/rest/workflows', workflow);
	await api.send('POST', `/rest/workflows/${id}/activate`, { versionId });
	await subscriptions(before + 1);
	await open(title);
	assert.ok((await ended(id, 'webhook')).includes(`"${title}"`));
	const notes = await server.ask({ do: 'service', path: '/incidents/QINCIDENT00001/notes' });
	assert.equal(notes.notes.filter(({ content }) => content === title).length, 1);
	const held = { token: server.token, title };
	const problems = await server.ask({
		do: 'canary',
		pid: n8n.pid,
		files: N8N_HOME,
		held: { memory: held, traffic: held, files: { title } },
	});
	assert.deepEqual(problems, []);
	await api.send('POST', `/rest/workflows/${id}/deactivate`, {});
	await subscriptions(before);
});
