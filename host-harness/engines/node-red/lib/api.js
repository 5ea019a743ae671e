'use strict';
// The API of the server: what the nodes send, and how they read what it returns.

const { setTimeout: sleep } = require('node:timers/promises');

/** How often a request is sent, the first time included. */
const ATTEMPTS = 5;
/** Milliseconds before the first repetition. Each further one waits twice as long. */
const DELAY = 500;
/** Milliseconds between two requests at most. If the server demands more, the error is raised. */
const LONGEST_DELAY = 60_000;
/** Milliseconds without a byte. While an execution runs, the server sends one every 15 seconds. */
const IDLE_TIMEOUT = 60_000;

/** An error of the API, of an item, or of the connection. A Catch node receives `code` and `cause`. */
class ServerError extends Error {
	constructor(message, { code, ...cause } = {}) {
		super(message, { cause });
		this.name = 'ServerError';
		if (code !== undefined) this.code = code;
	}
}

/** A path of the API. Names cannot lead to another path. */
function apiPath(...segments) {
	for (const segment of segments) {
		if (['', '.', '..'].includes(segment)) throw new ServerError(`"${segment}" is not a name`);
	}
	return `/v1/${segments.map(encodeURIComponent).join('/')}`;
}

function parse(text) {
	try {
		const value = JSON.parse(text);
		return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
	} catch {
		return undefined;
	}
}

function ofDetail(error, status) {
	const problems = (error.problems ?? []).map(({ pointer, message }) => `${pointer}: ${message}`);
	const message = [error.message, ...problems, ...(error.next ? [error.next] : [])].join('\n');
	return new ServerError(message, { code: error.name, status });
}

/** A server, and the token for it. */
class Server {
	constructor(url, token) {
		this.url = String(url ?? '').replace(/\/+$/, '');
		if (!URL.canParse(this.url) || !/^https?:/.test(this.url)) {
			throw new ServerError(`"${this.url}" is not the URL of a server`);
		}
		this.token = token ?? '';
	}

	/** Sends a request until there is an answer. Executions have an ID, so all may be repeated. */
	async request(method, path, { query = {}, body, accept = 'application/json', signal } = {}) {
		const url = new URL(this.url + path);
		for (const [name, value] of Object.entries(query)) {
			if (value !== undefined && value !== '') url.searchParams.set(name, value);
		}
		const headers = { accept, authorization: `Bearer ${this.token}` };
		if (body !== undefined) headers['content-type'] = 'application/json';
		// A lost connection cancels the execution. A call that is repeated meanwhile may only hear of that.
		// When the execution has ended, repeating the call once more runs what may run again.
		let isLost = false;
		let hasRecovered = false;
		for (let attempt = 1; ; attempt++) {
			let delay = DELAY * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
			let failure;
			const answer = await this.#send(url, { method, headers, body, signal }).catch((error) => error);
			if (signal?.aborted) throw new ServerError('The execution was cancelled');
			if (answer instanceof Error) {
				isLost = true;
				const reason = answer.cause?.message ?? answer.message;
				failure = new ServerError(`Cannot reach the server at ${this.url}: ${reason}`);
			} else if (answer.status >= 200 && answer.status < 300) {
				const end = accept === 'application/json' ? parse(answer.text) : endOf(answer.text);
				const isDoubtful = end === 'cancelled' && isLost && !hasRecovered;
				if (end !== undefined && !isDoubtful) return answer.text;
				hasRecovered = isDoubtful;
				isLost = true;
				failure = new ServerError('The response is not whole, or not from a workflow-node server');
				if (accept === 'application/json') throw failure;
			} else {
				const detail = parse(answer.text)?.error;
				failure = detail?.name
					? ofDetail(detail, answer.status)
					: new ServerError(
							`The response with status ${answer.status} is not from a workflow-node server`,
						);
				const isBusy = [429, 502, 503, 504].includes(answer.status);
				if (!isBusy || (answer.status === 502 && detail?.name)) throw failure;
				if (answer.retryAfter > 0) delay = answer.retryAfter * 1000;
			}
			if (attempt === ATTEMPTS || delay > LONGEST_DELAY) throw failure;
			await sleep(delay, undefined, { signal }).catch(() => undefined);
		}
	}

	async #send(url, { method, headers, body, signal }) {
		const idle = new AbortController();
		const timer = setTimeout(() => idle.abort(new Error('The server sends nothing')), IDLE_TIMEOUT);
		try {
			const response = await fetch(url, {
				method,
				headers,
				body: body === undefined ? undefined : JSON.stringify(body),
				// A redirect must not carry the token to another server.
				redirect: 'manual',
				signal: signal ? AbortSignal.any([signal, idle.signal]) : idle.signal,
			});
			const decoder = new TextDecoder();
			let text = '';
			for await (const part of response.body ?? []) {
				timer.refresh();
				text += decoder.decode(part, { stream: true });
			}
			const retryAfter = Number(response.headers.get('retry-after'));
			return { status: response.status, retryAfter, text: text + decoder.decode() };
		} finally {
			clearTimeout(timer);
		}
	}

	/** Sends a request, and reads the JSON of the response. */
	async json(method, path, options) {
		return JSON.parse(await this.request(method, path, options));
	}

	/** All entries of a list. */
	async entries(path, name, query = {}) {
		const found = [];
		let cursor;
		do {
			const page = await this.json('GET', path, { query: { ...query, cursor } });
			found.push(...page[name]);
			cursor = page.next_cursor;
		} while (cursor);
		return found;
	}

	/** Runs an action for one item, and returns its records. Raises the error of the item. */
	async execute({ plugin, action, credentials, parameters, executionId, workflow, signal }) {
		const text = await this.request('POST', apiPath('plugins', plugin, 'actions', action, 'execute'), {
			accept: 'application/x-ndjson',
			body: { execution_id: executionId, workflow, credentials, items: [parameters] },
			signal,
		});
		const records = [];
		for (const line of text.split('\n')) {
			if (line.trim() === '') continue;
			const read = JSON.parse(line);
			if ('output' in read) {
				records.push(read.output);
			} else if (read.item !== undefined) {
				if (read.error) throw ofItem(read.error, records, executionId);
			} else if (read.error) {
				throw ofDetail(read.error);
			} else if (read.execution && !['queued', 'running', 'finished'].includes(read.execution.status)) {
				const reason = read.execution.error?.message;
				throw new ServerError(`The execution is ${read.execution.status}${reason ? `: ${reason}` : ''}`, {
					executionId,
				});
			}
		}
		return records;
	}
}

function ofItem(error, records, executionId) {
	return new ServerError(error.message, {
		code: error.kind,
		status: error.http_status ?? undefined,
		serviceCode: error.code ?? undefined,
		detail: error.detail ?? undefined,
		retryAfterMs: error.retry_after_ms ?? undefined,
		records,
		executionId,
	});
}

/** How a stream has ended; `undefined` if it has broken off. */
function endOf(text) {
	const line = parse(text.trimEnd().split('\n').pop() ?? '');
	const status = line?.execution?.status;
	if (status !== undefined && !['queued', 'running'].includes(status)) return status;
	return line?.error !== undefined && line.item === undefined ? 'error' : undefined;
}

/** The slot that the account fills: the first that must be filled, or else the first. */
function mainSlot(slots) {
	const names = Object.keys(slots);
	return names.find((name) => slots[name].required) ?? names[0];
}

module.exports = { Server, ServerError, apiPath, mainSlot };
