// The converter of n8n's built-in PagerDuty node, on its nine operations.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { convert, expressionOf } from '../convert/convert.mjs';
import { engine, load, startServer } from './support.mjs';

const MAP =
	process.env.PAGERDUTY_MAP ??
	fileURLToPath(new URL('../../../../plugin/pagerduty/engines/n8n.json', import.meta.url));
const node = load('nodes/WorkflowNode/WorkflowNode.node.js', 'WorkflowNode');
let server;
let map;

before(async () => {
	server = await startServer();
	map = JSON.parse(await readFile(MAP, 'utf8'));
});
after(async () => await server.close());

async function loadForm(action) {
	const headers = { authorization: `Bearer ${server.token}` };
	const response = await fetch(`${server.url}/v1/plugins/pagerduty/actions/${action}`, { headers });
	return (await response.json()).form;
}

const builtIn = (name, parameters, more = {}) => ({
	id: name,
	name,
	type: 'n8n-nodes-base.pagerDuty',
	typeVersion: 1,
	position: [100, 200],
	parameters,
	credentials: { pagerDutyApi: { id: '7', name: 'PagerDuty' } },
	...more,
});

const convertAll = (nodes, more = {}) =>
	convert({ name: 'Old', nodes, connections: { A: {} } }, map, { account: 'work', loadForm, ...more });

/** Converts a node, runs it, and returns the records. */
async function run(parameters) {
	const { workflow, report } = await convertAll([builtIn('A', parameters)]);
	assert.deepEqual(report.filter(({ kind }) => kind !== 'difference'), []);
	const [output] = await node.execute.call(engine(server, workflow.nodes[0].parameters));
	return output.map(({ json }) => json);
}

test('the nine operations do what they did before', async () => {
	const conferenceBridgeUi = {
		conferenceBridgeValues: { conferenceNumber: '+1 555 0100', conferenceUrl: 'https://example.com/b' },
	};
	const [created] = await run({
		title: 'Converted',
		serviceId: server.service,
		email: 'ada@example.com',
		additionalFields: { details: 'Why', urgency: 'low', incidentKey: 'converted-1' },
		conferenceBridgeUi,
	});
	assert.deepEqual([created.title, created.urgency, created.incident_key], ['Converted', 'low', 'converted-1']);
	assert.equal(created.conference_bridge.conference_url, 'https://example.com/b');

	const [read] = await run({ operation: 'get', incidentId: created.id });
	assert.equal(read.id, created.id);

	const listed = await run({
		operation: 'getAll',
		returnAll: true,
		options: {
			serviceIds: [server.service],
			statuses: ['triggered', 'acknowledged'],
			urgencies: ['low'],
			include: ['conferenceBridge', 'firstTriggerLogEntries', 'users'],
			sortBy: 'created_at:desc, urgency:asc',
			timeZone: 'Europe/Berlin',
		},
	});
	assert.ok(listed.some(({ id }) => id === created.id));
	assert.ok(listed.every(({ urgency }) => urgency === 'low'));
	assert.equal((await run({ operation: 'getAll', limit: 1 })).length, 1);

	const [updated] = await run({
		operation: 'update',
		incidentId: created.id,
		email: 'ada@example.com',
		updateFields: { title: 'Converted and updated', urgency: 'high', status: 'acknowledged' },
	});
	assert.deepEqual(
		[updated.title, updated.urgency, updated.status],
		['Converted and updated', 'high', 'acknowledged'],
	);

	const note = { resource: 'incidentNote', incidentId: created.id };
	const [noted] = await run({ ...note, content: 'A note', email: 'ada@example.com' });
	assert.equal(noted.content, 'A note');
	const notes = await run({ ...note, operation: 'getAll', returnAll: true });
	assert.deepEqual(notes.map(({ content }) => content), ['A note']);

	const entries = await run({
		resource: 'logEntry',
		operation: 'getAll',
		limit: 5,
		options: { include: ['incidents'], isOverview: false, since: '2020-01-01T00:00:00Z' },
	});
	assert.ok(entries.length > 0 && entries.length <= 5);
	const [entry] = await run({ resource: 'logEntry', logEntryId: entries[0].id });
	assert.equal(entry.id, entries[0].id);

	const user = server.simulator.us.users[0].id;
	assert.equal((await run({ resource: 'user', userId: user }))[0].id, user);
});

test('every operation and every parameter of the map exists', async () => {
	assert.equal(Object.keys(map.operations).length, 9);
	for (const { action, parameters } of Object.values(map.operations)) {
		const { properties } = await loadForm(action);
		for (const rule of Object.values(parameters)) {
			assert.ok((rule.to ?? rule) in properties, `${action} has no ${rule.to ?? rule}`);
		}
	}
});

test('all else of the workflow stays as it is', async () => {
	const settings = { onError: 'continueRegularOutput', retryOnFail: true, disabled: true, notes: 'x' };
	const other = { id: 's', name: 'Set', type: 'n8n-nodes-base.set', parameters: { a: 1 } };
	const credential = { id: '9', name: 'Harness' };
	const before = [other, builtIn('A', { operation: 'get', incidentId: '={{ $json.id }}' }, settings)];
	const { workflow } = await convertAll(before, { credential });
	assert.deepEqual([workflow.name, workflow.connections, workflow.nodes[0]], ['Old', { A: {} }, other]);
	const [, converted] = workflow.nodes;
	for (const [name, value] of Object.entries({ ...settings, id: 'A', name: 'A', position: [100, 200] })) {
		assert.deepEqual(converted[name], value, name);
	}
	assert.deepEqual(converted.credentials, { workflowNodeApi: credential });
	assert.equal(converted.parameters.parameters.value.incident_id, '={{ $json.id }}');
	const shown = converted.parameters.parameters.schema.filter(({ removed }) => !removed);
	assert.deepEqual(shown.map(({ id }) => id), ['incident_id']);
});

test('expressions of lists become lists', async () => {
	const { workflow, report } = await convertAll([
		builtIn('A', { operation: 'getAll', options: { teamIds: '=PT1, {{ $json.team }}', userIds: 'PU1,PU2' } }),
	]);
	const { value } = workflow.nodes[0].parameters.parameters;
	assert.deepEqual(value.user_ids, ['PU1', 'PU2']);
	const evaluate = new Function('$json', `return ${/^=\{\{([\s\S]*)\}\}$/.exec(value.team_ids)[1]}`);
	assert.deepEqual(evaluate({ team: 'PT2' }), ['PT1', 'PT2']);
	assert.deepEqual(report.filter(({ kind }) => kind === 'lost'), []);
	for (const [template, result] of [
		['={{ $json.a }}', '1,2'],
		['=x', 'x'],
		['=x{{ $json.b }}"y', 'x3"y'],
		['={{ $json.b }}{{ $json.b }}', '33'],
	]) {
		const of = new Function('$json', `return ${expressionOf(template)}`);
		assert.equal(of({ a: [1, 2], b: 3 }), result, template);
	}
});

test('what cannot be translated is reported', async () => {
	const { workflow, report } = await convertAll([
		builtIn('A', { resource: 'team', operation: 'get' }),
		builtIn('B', { operation: 'get', incidentId: 'Q1', colour: 'red', options: '={{ $json.options }}' }),
		builtIn('C', { operation: 'getAll', options: { include: '={{ $json.include }}' } }),
		builtIn('D', { resource: 'incidentNote', incidentId: 'Q1', content: 'x', email: '' }),
	]);
	assert.equal(workflow.nodes[0].type, 'n8n-nodes-base.pagerDuty');
	const said = (name, kind) =>
		report.filter((one) => one.node === name && one.kind === kind).map(({ message }) => message);
	assert.match(said('A', 'unconverted')[0], /team\/get/);
	assert.equal(said('B', 'lost').length, 2);
	assert.match(said('B', 'lost')[0], /colour = "red"/);
	assert.match(said('C', 'lost')[0], /conferenceBridge/);
	assert.match(said('D', 'difference')[0], /\$json\.content/);
	assert.deepEqual(said('D', 'lost'), []);
});

test('the command prints the workflow and the report', async () => {
	const directory = await mkdtemp(join(tmpdir(), 'convert-'));
	try {
		const path = join(directory, 'old.json');
		const run = async (nodes, more = []) => {
			await writeFile(path, JSON.stringify({ name: 'Old', nodes, connections: {} }));
			const script = fileURLToPath(new URL('../convert/main.mjs', import.meta.url));
			const env = { ...process.env, WORKFLOW_NODE_URL: server.url, WORKFLOW_NODE_TOKEN: server.token };
			const child = spawn(process.execPath, [script, path, '--map', MAP, ...more], { env });
			const read = async (stream) => (await stream.toArray()).join('');
			const [out, error] = await Promise.all([read(child.stdout), read(child.stderr)]);
			const code = child.exitCode ?? (await new Promise((resolve) => child.on('close', resolve)));
			return { out, error, code };
		};
		const get = builtIn('A', { operation: 'get', incidentId: 'Q1' });
		const options = ['--account', 'work', '--credential', '9:My: server'];
		const good = await run([get], options);
		assert.deepEqual([good.code, good.error], [0, '']);
		const [converted] = JSON.parse(good.out).nodes;
		assert.equal(converted.credentials.workflowNodeApi.name, 'My: server');
		const bad = await run([builtIn('Bad', { resource: 'team' })], options);
		assert.equal(bad.code, 3);
		assert.match(bad.error, /^Bad: unconverted: /);
		assert.match((await run([get])).error, /Choose the account/);
	} finally {
		await rm(directory, { recursive: true });
	}
});
