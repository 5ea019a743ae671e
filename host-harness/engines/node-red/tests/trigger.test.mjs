// The trigger node in a real Node-RED, with webhooks of the simulator.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { flowOf, openEditor, startNodeRed, startServer, until } from './support.mjs';

let server;
let red;

before(async () => {
	server = await startServer();
	red = await startNodeRed();
});
after(async () => {
	await red?.close();
	await server?.close();
});

/** A flow that collects events, opens incidents, and shows the events. */
function flows({ listens = true } = {}) {
	const on = (id, type, more) => ({ id, type, z: 'tab', x: 100, y: 100, wires: [], ...more });
	const set = (p, pt, to, tot) => ({ t: 'set', p, pt, to, tot });
	const fields = [{ name: 'events', value: '["incident.triggered"]', type: 'json' }];
	const trigger = on('trigger', 'workflow-node-trigger', {
		server: 'server',
		plugin: 'pagerduty',
		trigger: 'event',
		account: 'work',
		fields,
		wires: [['collect']],
	});
	const all = '$append($flowContext("events"), [{"event": payload, "delivery": delivery}])';
	return [
		...flowOf(server, { action: 'incident.create', mode: 'payload' }),
		...(listens ? [trigger] : []),
		on('collect', 'change', { rules: [set('events', 'flow', all, 'jsonata')] }),
		on('ask', 'http in', { url: '/events', method: 'get', wires: [['show']] }),
		on('show', 'change', { rules: [set('payload', 'msg', 'events', 'flow')], wires: [['shown']] }),
		on('shown', 'http response', {}),
	];
}

const open = (title) =>
	fetch(`${red.url}/run`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ payload: { title, service_id: server.service } }),
	});

const events = async () => {
	const text = await (await fetch(`${red.url}/events`)).text();
	return text === '' ? [] : [JSON.parse(text)].flat();
};

const subscriptions = async () => {
	const headers = { authorization: `Bearer ${server.token}` };
	return (await (await fetch(`${server.url}/v1/subscriptions`, { headers })).json()).subscriptions;
};

test('events at the service become messages, also after a restart of the server', async () => {
	await red.deploy(flows());
	await until('the subscription', async () => (await subscriptions()).length === 1);
	await open('Event 1');
	await until('the first event', async () => (await events()).length === 1);
	const [{ event, delivery }] = await events();
	assert.ok(JSON.stringify(event).includes('Event 1'));
	assert.equal(delivery.number, 1);
	await server.ask({ do: 'restart' });
	await open('Event 2');
	await until('the second event', async () => JSON.stringify(await events()).includes('Event 2'));
	const numbers = (await events()).map(({ delivery }) => delivery.number);
	assert.deepEqual([...new Set(numbers)], [1, 2]);
});

test('a flow that is deployed again keeps its subscription, and a removed node removes it', async () => {
	const changed = flows();
	changed.find(({ id }) => id === 'trigger').name = 'Renamed';
	await red.deploy(changed);
	await until('the same subscription', async () => (await subscriptions())[0]?.workflow === 'node-red Renamed');
	assert.equal((await subscriptions()).length, 1);
	await red.deploy(flows({ listens: false }));
	await until('no subscription', async () => (await subscriptions()).length === 0);
});

test('a person sets up the trigger in the edit dialog', async () => {
	const empty = flows();
	Object.assign(empty.find(({ id }) => id === 'trigger'), { plugin: '', trigger: '', account: '', fields: [] });
	await red.deploy(empty);
	const { browser, page, option } = await openEditor(red, 'trigger');
	try {
		await option('plugin', 'pagerduty').waitFor({ state: 'attached' });
		await option('trigger', 'event').waitFor({ state: 'attached' });
		await page.selectOption('#node-input-trigger', 'event');
		await page.locator('#workflow-node-field-events + .red-ui-typedInput-container').waitFor();
		await page.evaluate(() => {
			$('#workflow-node-field-events').typedInput('value', '["incident.triggered"]');
		});
		await page.click('#node-dialog-ok');
		await page.click('#red-ui-header-button-deploy');
		await page.locator('#red-ui-header-button-deploy.disabled').waitFor();
	} finally {
		await browser.close();
	}
	const saved = (await red.flows()).find(({ id }) => id === 'trigger');
	assert.deepEqual([saved.plugin, saved.trigger, saved.account], ['pagerduty', 'event', 'work']);
	await until('the subscription', async () => (await subscriptions()).length === 1);
});
