// The trigger node against a real server, to which the simulator delivers webhooks.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { call, editor, engine, hooks, load, startServer, startWebhook, until } from './support.mjs';

const trigger = load('nodes/WorkflowNodeTrigger/WorkflowNodeTrigger.node.js', 'WorkflowNodeTrigger');
const action = load('nodes/WorkflowNode/WorkflowNode.node.js', 'WorkflowNode');
const { create, delete: remove } = trigger.webhookMethods.default;
const state = {};
let server;
let webhook;
let listening;

before(async () => {
	server = await startServer();
	webhook = await startWebhook(trigger, state);
	const options = ['--role', 'run', '--deliver-to', webhook.origin];
	server.token = await server.ask({ do: 'token', name: 'n8n', options });
	listening = (parameters = {}, of = state, path = 'webhook', mode = 'trigger') =>
		hooks(
			server,
			{
				plugin: { value: 'pagerduty' },
				trigger: { value: 'event' },
				account: { value: 'work' },
				mode: 'form',
				parameters: { value: { events: ['incident.triggered'], ...parameters } },
			},
			`${webhook.origin}/${path}/1`,
			of,
			mode,
		);
});
after(async () => {
	await webhook.close();
	await server.close();
});

const open = async (title) =>
	await action.execute.call(
		engine(server, call('incident.create', { title, service_id: server.service })),
	);

const subscriptions = async () => {
	const headers = { authorization: `Bearer ${server.token}` };
	return (await (await fetch(`${server.url}/v1/subscriptions`, { headers })).json()).subscriptions;
};

test('the editor lists triggers and their fields', async () => {
	const parameters = { plugin: { value: 'pagerduty' }, trigger: { value: 'event' } };
	const { listSearch, resourceMapping } = trigger.methods;
	const triggers = await listSearch.searchTriggers.call(editor(server, parameters));
	assert.ok(triggers.results.some(({ value }) => value === 'event'));
	const { fields } = await resourceMapping.parameterFields.call(editor(server, parameters));
	assert.equal(fields.find(({ id }) => id === 'events').type, 'array');
	const accounts = await listSearch.searchAccounts.call(editor(server, parameters));
	assert.deepEqual(accounts.results.map(({ value }) => value), ['work']);
});

test('an event at the service starts the workflow once', async () => {
	assert.equal(await create.call(listening()), true);
	assert.ok(state.secret);
	await open('Triggered 1');
	await until('the execution', () => webhook.executions.length === 1);
	assert.ok(JSON.stringify(webhook.executions[0]).includes('Triggered 1'));

	// The response is lost, and the server sends the event again.
	webhook.refuse = 503;
	await open('Triggered 2');
	await until('the refusal', () => webhook.statuses.includes(503));
	webhook.refuse = undefined;
	await until('the repetition', () => webhook.statuses.at(-1) === 200);
	assert.equal(webhook.executions.length, 2);
	await until('an empty queue', async () => (await subscriptions())[0].waiting === 0);
});

test('a request that the server has not signed is refused', async () => {
	const before = webhook.executions.length;
	const { rawBody, headers } = webhook.bodies.at(-1);
	const send = (body, signature) =>
		fetch(`${webhook.origin}/webhook/1`, {
			method: 'POST',
			body,
			headers: signature === undefined ? {} : { 'x-harness-signature': signature },
		});
	const forged = rawBody.toString().replace(/"number": ?\d+/, '"number":99');
	for (const [body, signature] of [
		[forged, headers['x-harness-signature']],
		[forged, undefined],
		[forged, 'v1='],
		[forged, `v1=${'0'.repeat(64)}`],
	]) {
		assert.equal((await send(body, signature)).status, 401);
	}
	assert.equal((await send(rawBody, headers['x-harness-signature'])).status, 200);
	assert.equal(webhook.executions.length, before);
});

test('activating again keeps the subscription, and a lost secret is replaced', async () => {
	const { secret } = state;
	await create.call(listening({ events: ['incident.triggered', 'incident.resolved'] }));
	assert.equal(state.secret, secret);
	assert.equal((await subscriptions()).length, 1);
	for (const name of Object.keys(state)) delete state[name];
	await create.call(listening());
	assert.ok(state.secret);
	assert.notEqual(state.secret, secret);
	const before = webhook.executions.length;
	await open('Triggered 3');
	await until('the execution', () => webhook.executions.length === before + 1);
});

const webhooks = async () =>
	(await action.execute.call(engine(server, call('webhook_subscription.list', {}))))[0].length;

/** Listens for a test event, as a person does in the editor. */
async function listenForTest(holds) {
	const testState = {};
	const test = await startWebhook(trigger, testState);
	const options = ['--role', 'run', '--deliver-to', test.origin];
	const token = await server.ask({ do: 'token', name: `test-${test.origin}`, options });
	const listen = hooks(
		{ ...server, token },
		listening().getParameters(),
		`${test.origin}/webhook-test/1`,
		testState,
		'manual',
	);
	const before = await webhooks();
	try {
		await create.call(listen);
		assert.equal(await webhooks(), before);
		await holds(test);
	} finally {
		await remove.call(listen);
		await test.close();
	}
}

test('a test listener shares the webhook of the active workflow', async () => {
	await listenForTest(async (test) => {
		await open('For the test as well');
		await until('the execution', () => test.executions.length === 1);
		assert.ok(JSON.stringify(test.executions[0]).includes('For the test as well'));
	});
});

test('deactivating removes the subscription and the webhook at the service', async () => {
	const before = await webhooks();
	assert.equal(await remove.call(listening()), true);
	assert.deepEqual(await subscriptions(), []);
	assert.equal(await webhooks(), before - 1);
	assert.deepEqual(state, {});
	assert.equal(await remove.call(listening()), true);
});

test('a test listener without an active workflow receives the last event', async () => {
	await listenForTest(async (test) => {
		await until('the execution', () => test.executions.length === 1);
		assert.ok(JSON.stringify(test.executions[0]).includes('For the test as well'));
	});
});

test('an address that the operator has not allowed is refused', async () => {
	const token = await server.ask({ do: 'token', name: 'no-address', options: ['--role', 'run'] });
	const allowed = server.token;
	server.token = token;
	try {
		await assert.rejects(create.call(listening({}, {})), /deliver_to/);
	} finally {
		server.token = allowed;
	}
});
