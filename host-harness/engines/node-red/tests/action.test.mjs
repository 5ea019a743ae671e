// The nodes in a real Node-RED.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { flowOf, openEditor, startNodeRed, startServer, until } from './support.mjs';

let server;
let red;

before(async () => {
	server = await startServer('--record');
	red = await startNodeRed();
});
after(async () => {
	await red?.close();
	await server?.close();
});

async function run(body) {
	const response = await fetch(`${red.url}/run`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify(body),
	});
	return { status: response.status, body: await response.json() };
}

const titles = async (beginning) =>
	(await server.ask({ do: 'incidents' }))
		.map(({ title }) => title)
		.filter((title) => title.startsWith(beginning));

const field = (name, value, type = 'str') => ({ name, value, type });

test('a message runs an action with fields of every source', async () => {
	const fields = [
		field('title', 'payload.title', 'msg'),
		field('service_id', server.service),
		field('urgency', '"l" & "ow"', 'jsonata'),
		field('additional_fields', '{"title": "ignored"}', 'json'),
		field('details', 'payload.nothing', 'msg'),
	];
	await red.deploy(flowOf(server, { action: 'incident.create', fields }));
	const { status, body } = await run({ payload: { title: 'Red 1' } });
	assert.equal(status, 200, JSON.stringify(body));
	assert.deepEqual([body[0].title, body[0].urgency], ['Red 1', 'low']);
	assert.deepEqual(await titles('Red 1'), ['Red 1']);
});

test('the parameters may be the payload, and an execution ID makes a message run once', async () => {
	await red.deploy(flowOf(server, { action: 'incident.create', mode: 'payload' }));
	const message = { payload: { title: 'Once', service_id: server.service }, executionId: 'once-1' };
	const first = await run(message);
	const second = await run(message);
	assert.equal(first.body[0].id, second.body[0].id);
	assert.deepEqual(await titles('Once'), ['Once']);
	await run({ payload: message.payload });
	assert.equal((await titles('Once')).length, 2);
	const { status, body } = await run({ payload: 'text' });
	assert.equal(status, 500);
	assert.match(body.message, /msg.payload is not an object/);
});

test('a failed action can be caught with its kind', async () => {
	const fields = [field('incident_id', 'QNOSUCH')];
	await red.deploy(flowOf(server, { action: 'incident.get', fields }));
	const { status, body } = await run({});
	assert.equal(status, 500);
	assert.equal(body.code, 'not-found');
	assert.equal(body.cause.status, 404);
	await red.deploy(flowOf({ ...server, token: 'wrong' }, { action: 'incident.get', fields }));
	assert.match((await run({})).body.message, /token/i);
	await red.deploy(flowOf(server, { action: '../../health', fields }));
	assert.match((await run({})).body.message, /Cannot find the action/);
});

test('records may be sent one by one', async () => {
	const flow = flowOf(server, { action: 'service.list', output: 'each' });
	const on = (id, type, more) => ({ id, type, z: 'tab', x: 100, y: 100, ...more });
	flow.find(({ id }) => id === 'node').wires = [['join']];
	flow.push(on('join', 'join', { mode: 'auto', build: 'object', wires: [['out']] }));
	await red.deploy(flow);
	const { body } = await run({});
	assert.ok(body.length > 1);
	assert.ok(body.some(({ id }) => id === server.service));
});

test('lists are only of deployed servers', async () => {
	await red.deploy(flowOf(server, { action: 'service.list' }));
	const ask = (path) => fetch(`${red.url}/workflow-node/${path}`);
	assert.deepEqual((await (await ask('server/plugins')).json())[0].name, 'pagerduty');
	for (const other of ['none/plugins', 'node/plugins', 'server/constructor', 'server/__proto__']) {
		assert.equal((await ask(other)).status, 404, other);
	}
	const text = await (await ask('server/accounts?plugin=pagerduty&slot=rest')).text();
	assert.match(text, /"work"/);
	assert.ok(!text.includes(server.secret) && !text.includes(server.token));
});

test('a person sets up the node in the edit dialog', async () => {
	const shots = process.env.SCREENSHOTS;
	if (shots) await mkdir(shots, { recursive: true });
	await red.deploy(flowOf(server, { plugin: '', action: '', account: '' }));
	const { browser, page, option } = await openEditor(red, 'node');
	const shot = async (name) => {
		if (shots) await page.screenshot({ path: join(shots, `node-red-${name}.png`) });
	};
	try {
		await option('plugin', 'pagerduty').waitFor({ state: 'attached' });
		await option('resource', 'incident').waitFor({ state: 'attached' });
		await page.selectOption('#node-input-resource', 'incident');
		await option('action', 'incident.create').waitFor({ state: 'attached' });
		await page.selectOption('#node-input-action', 'incident.create');
		const value = (name) => page.locator(`#workflow-node-field-${name} + .red-ui-typedInput-container`);
		await value('title').waitFor();
		assert.equal(await page.inputValue('#node-input-account'), 'work');
		await page.selectOption('#workflow-node-add', 'urgency');
		await value('urgency').waitFor();
		await page.evaluate(() => {
			$('#workflow-node-field-title').typedInput('type', 'msg');
			$('#workflow-node-field-title').typedInput('value', 'payload.title');
			$('#workflow-node-field-urgency').typedInput('value', 'low');
		});
		// The services of the account are offered.
		const input = value('service_id').locator('input:visible');
		await input.click();
		await input.pressSequentially('Check', { delay: 50 });
		const choice = page.locator('.red-ui-autoComplete-container, .red-ui-menu').getByText('Checkout').first();
		await choice.waitFor();
		await shot('dialog');
		await choice.click();
		await page.click('#node-dialog-ok');
		await page.click('#red-ui-header-button-deploy');
		await page.locator('#red-ui-header-button-deploy.disabled').waitFor();
		await shot('flow');
	} catch (error) {
		await shot('failure');
		throw error;
	} finally {
		await browser.close();
	}
	const saved = (await red.flows()).find(({ id }) => id === 'node');
	assert.deepEqual([saved.plugin, saved.action, saved.account], ['pagerduty', 'incident.create', 'work']);
	const byName = Object.fromEntries(saved.fields.map(({ name, value, type }) => [name, [type, value]]));
	assert.deepEqual(byName.title, ['msg', 'payload.title']);
	assert.deepEqual(byName.urgency, ['str', 'low']);
	const { status, body } = await run({ payload: { title: 'From the dialog' } });
	assert.equal(status, 200, JSON.stringify(body));
	assert.deepEqual([body[0].title, body[0].urgency], ['From the dialog', 'low']);
	assert.equal(body[0].service.id, server.simulator.us.services.find((one) => one.name === 'Checkout').id);
});

test('no memory, traffic, or file of Node-RED holds a secret of the service', async () => {
	const title = 'A canary from Node-RED';
	await server.ask({ do: 'connect-user', name: 'team' });
	const flow = flowOf(server, {
		action: 'incident.create',
		account: 'team',
		fields: [field('title', title), field('service_id', server.service)],
	});
	const on = (id, type, more) => flow.push({ id, type, z: 'tab', x: 100, y: 100, wires: [], ...more });
	on('trigger', 'workflow-node-trigger', {
		server: 'server',
		plugin: 'pagerduty',
		trigger: 'event',
		account: 'team',
		fields: [field('events', '["incident.triggered"]', 'json')],
		wires: [['collect']],
	});
	const set = (p, pt, to, tot) => [{ t: 'set', p, pt, to, tot }];
	on('collect', 'change', { rules: set('event', 'flow', 'payload', 'msg') });
	on('ask', 'http in', { url: '/event', method: 'get', wires: [['show']] });
	on('show', 'change', { rules: set('payload', 'msg', 'event', 'flow'), wires: [['shown']] });
	on('shown', 'http response', {});
	await red.deploy(flow);
	const subscribed = async () => {
		const headers = { authorization: `Bearer ${server.token}` };
		const response = await fetch(`${server.url}/v1/subscriptions`, { headers });
		return (await response.json()).subscriptions;
	};
	await until('the subscription', async () => (await subscribed()).length === 1);
	const { status, body } = await run({});
	assert.equal(status, 200, JSON.stringify(body));
	await until('the event', async () => (await (await fetch(`${red.url}/event`)).text()).includes(title));
	assert.deepEqual(await titles(title), [title]);
	const held = { token: server.token, title };
	const problems = await server.ask({
		do: 'canary',
		pid: red.pid,
		files: red.home,
		held: { memory: held, traffic: held, files: { title } },
	});
	assert.deepEqual(problems, []);
	await red.deploy(flowOf(server, { action: 'service.list' }));
	await until('no subscription', async () => (await subscribed()).length === 0);
});
