// A real n8n with the package, and what its REST API and its editor can do.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { until } from '../tests/support.mjs';

const PASSWORD = 'Only-for-tests-1';
const EMAIL = 'owner@example.com';

/** Starts n8n. `home`: where it keeps its data and the installed package. `broker`: another port. */
export async function startN8n({ binary, home, port, broker, env = {} }) {
	const log = createWriteStream(join(home, 'n8n.log'));
	const child = spawn(process.execPath, [binary, 'start'], {
		env: {
			...process.env,
			N8N_USER_FOLDER: home,
			N8N_PORT: String(port),
			N8N_LISTEN_ADDRESS: '127.0.0.1',
			N8N_RUNNERS_BROKER_PORT: String(broker),
			N8N_SECURE_COOKIE: 'false',
			N8N_DIAGNOSTICS_ENABLED: 'false',
			N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
			N8N_TEMPLATES_ENABLED: 'false',
			N8N_PERSONALIZATION_ENABLED: 'false',
			N8N_DYNAMIC_BANNERS_ENABLED: 'false',
			N8N_LICENSE_AUTO_RENEW_ENABLED: 'false',
			N8N_UNVERIFIED_PACKAGES_ENABLED: 'true',
			...env,
		},
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	const started = Date.now();
	await new Promise((resolve, reject) => {
		let text = '';
		const read = (part) => {
			log.write(part);
			text += part;
			if (text.includes('Editor is now accessible')) resolve();
		};
		child.stdout.on('data', read);
		child.stderr.on('data', read);
		child.on('exit', (code) => reject(new Error(`n8n has ended with ${code}:\n${text}`)));
	});
	const url = `http://127.0.0.1:${port}`;
	const close = async () => {
		const ended = new Promise((resolve) => child.on('exit', resolve));
		child.kill();
		// n8n waits for what runs before it ends.
		const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
		await ended;
		clearTimeout(late);
	};
	return { url, pid: child.pid, startMs: Date.now() - started, close };
}

/** As many ports that are free. */
export async function freePorts(count) {
	const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
	await Promise.all(servers.map((server) => once(server, 'listening')));
	const ports = servers.map((server) => server.address().port);
	await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
	return ports;
}

/** A client of the REST API that the editor uses, as the owner. */
export async function signIn(url) {
	let cookie = '';
	const browserId = 'e2e-browser';
	const send = async (method, path, body) => {
		const response = await fetch(url + path, {
			method,
			headers: { 'content-type': 'application/json', cookie, 'browser-id': browserId },
			body: body === undefined ? undefined : JSON.stringify(body),
		});
		const text = await response.text();
		if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
		const set = response.headers.getSetCookie().map((one) => one.split(';')[0]);
		if (set.length > 0) cookie = set.join('; ');
		return text === '' ? undefined : JSON.parse(text).data;
	};
	const owner = { email: EMAIL, password: PASSWORD, firstName: 'Ada', lastName: 'Test' };
	// The REST API is there a moment after the editor.
	let refused;
	const isSetUp = () =>
		send('POST', '/rest/owner/setup', owner).then(
			() => true,
			(error) => {
				refused = error;
				return false;
			},
		);
	await until(() => `the owner: ${refused}`, isSetUp);
	return { send, cookie: () => cookie, browserId };
}
