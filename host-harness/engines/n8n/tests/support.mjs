// A real server on a PagerDuty simulator, and the functions that n8n gives to a node.

import { spawn } from 'node:child_process';
import http from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const TESTING = process.env.ENGINES_TESTING ?? fileURLToPath(new URL('../../testing', import.meta.url));

/** What takes longer has failed, also on a machine that is busy with other work. */
export const PATIENCE_MS = 300_000;

/** Waits for something that must become true, and returns it. */
export async function until(what, holds) {
	const end = Date.now() + PATIENCE_MS;
	for (;;) {
		const held = await holds();
		if (held) return held;
		if (Date.now() > end) throw new Error(`not in time: ${typeof what === 'function' ? what() : what}`);
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
}

/** The compiled node. */
export function load(path, name) {
	return new (require(`../dist/${path}`)[name])();
}

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
		/** Asks the server's supervisor, for instance for the incidents of the account. */
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

/** A proxy that answers the requests for which `answer` returns something, and counts all. */
export async function startProxy(url, answer) {
	const proxy = { requests: [] };
	const server = http.createServer((request, response) => {
		const parts = [];
		request.on('data', (part) => parts.push(part));
		request.on('end', () => {
			const body = Buffer.concat(parts);
			proxy.requests.push({ method: request.method, path: request.url, body: body.toString() });
			const instead = answer(request, proxy.requests.length - 1);
			if (instead?.reset) {
				request.socket.destroy();
				return;
			}
			if (instead) {
				response.writeHead(instead.status, instead.headers ?? {});
				response.end(instead.body ?? '');
				return;
			}
			const upstream = http.request(
				url + request.url,
				{ method: request.method, headers: request.headers },
				(received) => {
					response.writeHead(received.statusCode, received.headers);
					received.pipe(response);
				},
			);
			upstream.end(body);
		});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	proxy.url = `http://127.0.0.1:${server.address().port}`;
	proxy.close = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
	return proxy;
}

const NODE = {
	id: 'node-1',
	name: 'Workflow Node',
	type: 'n8n-nodes-workflow-node.workflowNode',
	typeVersion: 1,
	position: [0, 0],
	parameters: {},
};

function httpRequest(options, token) {
	const url = new URL(options.url);
	for (const [name, value] of Object.entries(options.qs ?? {})) url.searchParams.set(name, value);
	return new Promise((resolve, reject) => {
		const headers = { ...options.headers, Authorization: `Bearer ${token}` };
		const request = http.request(url, { method: options.method, headers }, (response) => {
			const parts = [];
			response.on('data', (part) => parts.push(part));
			response.on('aborted', () => reject(new Error('socket hang up')));
			response.on('end', () =>
				resolve({
					statusCode: response.statusCode,
					headers: response.headers,
					body: Buffer.concat(parts).toString(),
				}),
			);
		});
		request.on('error', reject);
		request.setTimeout(options.timeout ?? 300_000, () => request.destroy(new Error('timeout')));
		request.end(options.body);
	});
}

function at(parameters, path) {
	return path.split('.').reduce((value, name) => value?.[name], parameters);
}

/** The context that n8n passes to every method of a node. */
function base({ url, token }) {
	return {
		getNode: () => NODE,
		getCredentials: async () => ({ url, token }),
		helpers: {
			async httpRequestWithAuthentication(type, options) {
				if (type !== 'workflowNodeApi') throw new Error(`no credential ${type}`);
				return await httpRequest(options, token);
			},
		},
	};
}

/** `this` of the methods that the editor calls. */
export function editor(server, parameters, sibling = {}) {
	return {
		...base(server),
		getCurrentNodeParameter: (name) =>
			name.startsWith('&') ? sibling[name.slice(1)] : at(parameters, name),
	};
}

let executions = 0;

/** `this` of `execute`. `parameters` may be a function of the item. */
export function engine(server, parameters, more = {}) {
	const { items = [{ json: {} }], continueOnFail = false, executionId = String(++executions) } = more;
	const of = (item) => (typeof parameters === 'function' ? parameters(item) : parameters);
	return {
		...base(server),
		getInputData: () => items,
		getNodeParameter: (name, item, fallback) => at(of(item), name) ?? fallback,
		continueOnFail: () => continueOnFail,
		getWorkflow: () => ({ id: 'workflow-1', name: 'Test', active: false }),
		getInstanceId: () => 'instance-1',
		getExecutionId: () => executionId,
		getExecutionCancelSignal: () => undefined,
		evaluateExpression: (expression) => (expression === '{{ $runIndex }}' ? (more.run ?? 0) : undefined),
	};
}

/** Parameters of the node that run an action. */
export function call(action, parameters, more = {}) {
	return {
		plugin: { mode: 'list', value: 'pagerduty' },
		action: { mode: 'list', value: action },
		account: { mode: 'list', value: 'work' },
		mode: 'form',
		parameters: { mappingMode: 'defineBelow', value: parameters },
		...more,
	};
}

/** `this` of the methods that subscribe. `state` is what n8n keeps for the node. */
export function hooks(server, parameters, url, state, mode = 'trigger') {
	return {
		...base(server),
		getMode: () => mode,
		getParameters: () => parameters,
		getNodeParameter: (name, fallback) => at(parameters, name) ?? fallback,
		getNodeWebhookUrl: () => url,
		getWorkflow: () => ({ id: 'workflow-1', name: 'Test', active: true }),
		getWorkflowStaticData: () => state,
	};
}

/** An address at which a trigger node receives events. Collects what starts the workflow. */
export async function startWebhook(node, state) {
	const webhook = { executions: [], statuses: [], bodies: [] };
	const server = http.createServer((request, response) => {
		const parts = [];
		request.on('data', (part) => parts.push(part));
		request.on('end', async () => {
			const rawBody = Buffer.concat(parts);
			webhook.bodies.push({ rawBody, headers: request.headers });
			let status = webhook.refuse ?? 200;
			const context = {
				...base({}),
				getWorkflowStaticData: () => state,
				getRequestObject: () => ({ rawBody }),
				getHeaderData: () => request.headers,
				getResponseObject: () => ({ status: (code) => ({ end: () => (status = code) }) }),
				helpers: { returnJsonArray: (json) => [{ json }] },
			};
			try {
				const { workflowData } = await node.webhook.call(context);
				if (workflowData) webhook.executions.push(workflowData[0][0].json);
			} catch {
				status = 500;
			}
			webhook.statuses.push(status);
			response.writeHead(status);
			response.end();
		});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	webhook.origin = `http://127.0.0.1:${server.address().port}`;
	webhook.close = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
	return webhook;
}
