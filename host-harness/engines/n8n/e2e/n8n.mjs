// A real n8n with the package, and what its REST API and its editor can do.

import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';

const PASSWORD = 'Only-for-tests-1';
const EMAIL = 'owner@example.com';

/** Starts n8n. `home`: where it keeps its data and the installed package. */
export async function startN8n({ binary, home, port, env = {} }) {
	const log = createWriteStream(join(home, 'n8n.log'));
	const child = spawn(process.execPath, [binary, 'start'], {
		env: {
			...process.env,
			N8N_USER_FOLDER: home,
			N8N_PORT: String(port),
			N8N_LISTEN_ADDRESS: '127.0.0.1',
			N8N_RUNNERS_BROKER_PORT: String(port + 1),
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
	return { url, pid: child.pid, startMs: Date.now() - started, close: () => child.kill() };
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
	for (let attempt = 0; ; attempt++) {
		try {
			await send('POST', '/rest/owner/setup', owner);
			break;
		} catch (error) {
			if (attempt === 20) throw error;
			await new Promise((resolve) => setTimeout(resolve, 500));
		}
	}
	return { send, cookie: () => cookie, browserId };
}
