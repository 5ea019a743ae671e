/** The API of the server: what both nodes send, and how they read what it returns. */

import type {
	IAllExecuteFunctions,
	IDataObject,
	IHttpRequestMethods,
	IHttpRequestOptions,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError, NodeOperationError, sleep } from 'n8n-workflow';

/** How often a request is sent, the first time included. */
const ATTEMPTS = 5;
/** Milliseconds before the first repetition. Each further one waits twice as long. */
const DELAY = 500;
/** Milliseconds between two requests at most. If the server demands more, the error is raised. */
const LONGEST_DELAY = 60_000;
/** Milliseconds without a byte. While an execution runs, the server sends one every 15 seconds. */
const IDLE_TIMEOUT = 60_000;

export type Context = Pick<IAllExecuteFunctions, 'helpers' | 'getCredentials' | 'getNode'>;

export interface ErrorDetail {
	name: string;
	message: string;
	next?: string;
	problems?: Array<{ pointer: string; message: string }>;
}

interface Response {
	statusCode: number;
	headers: IDataObject;
	body: string;
}

export interface ApiRequest {
	method: IHttpRequestMethods;
	path: string;
	query?: IDataObject;
	body?: unknown;
	/** The body is text with one JSON document per line. */
	lines?: string;
	accept?: 'application/json' | 'application/x-ndjson';
	signal?: AbortSignal;
	/** Statuses that are results, not errors. */
	expected?: number[];
}

/** A path of the API. Names cannot lead to another path. */
export function apiPath(context: Context, ...segments: string[]): string {
	for (const segment of segments) {
		if (segment === '' || segment === '.' || segment === '..') {
			throw new NodeOperationError(context.getNode(), `"${segment}" is not a name`);
		}
	}
	return `/v1/${segments.map(encodeURIComponent).join('/')}`;
}

/** Sends a request until there is an answer. Executions have an ID, so every request may be repeated. */
export async function request(context: Context, order: ApiRequest): Promise<Response> {
	const { url } = await context.getCredentials<{ url: string }>('workflowNodeApi');
	const options: IHttpRequestOptions = {
		method: order.method,
		url: url.replace(/\/+$/, '') + order.path,
		headers: { Accept: order.accept ?? 'application/json' },
		encoding: 'text',
		json: false,
		returnFullResponse: true,
		ignoreHttpStatusErrors: true,
		// A redirect must not carry the token to another server.
		disableFollowRedirect: true,
		timeout: IDLE_TIMEOUT,
	};
	if (order.query) options.qs = order.query;
	if (order.signal) options.abortSignal = order.signal;
	if (order.lines !== undefined) {
		options.headers = { ...options.headers, 'Content-Type': 'application/x-ndjson' };
		options.body = order.lines;
	} else if (order.body !== undefined) {
		options.headers = { ...options.headers, 'Content-Type': 'application/json' };
		options.body = JSON.stringify(order.body);
	}
	// A lost connection cancels the execution. A call that is repeated meanwhile may only hear of that.
	// When the execution has ended, repeating the call once more runs what may run again.
	let isLost = false;
	let hasRecovered = false;
	for (let attempt = 1; ; attempt++) {
		let delay = DELAY * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
		let failure: Error;
		const response = await send(context, options).catch((error: Error) => error);
		if (response instanceof Error) {
			isLost = true;
			failure = new NodeApiError(context.getNode(), response as unknown as JsonObject, {
				message: `Cannot reach the workflow-node server at ${url}`,
				description: response.message,
			});
		} else if (isGood(response.statusCode) || order.expected?.includes(response.statusCode)) {
			const end: string | undefined = order.accept === 'application/x-ndjson' ? endOf(response.body) : 'finished';
			const isDoubtful: boolean = end === 'cancelled' && isLost && !hasRecovered;
			if (end !== undefined && !isDoubtful) return response;
			hasRecovered = isDoubtful;
			isLost = true;
			failure = new NodeOperationError(context.getNode(), 'The stream of results broke off');
		} else {
			failure = refused(context, response);
			const isBusy = [429, 502, 503, 504].includes(response.statusCode);
			if (!isBusy || isOfPlugin(response)) throw failure;
			const demanded = Number(response.headers['retry-after']);
			if (demanded > 0) delay = demanded * 1000;
		}
		if (order.signal?.aborted) {
			throw new NodeOperationError(context.getNode(), 'The execution was cancelled');
		}
		if (attempt === ATTEMPTS || delay > LONGEST_DELAY) throw failure;
		await sleep(delay);
	}
}

async function send(context: Context, options: IHttpRequestOptions): Promise<Response> {
	return (await context.helpers.httpRequestWithAuthentication.call(
		context as IAllExecuteFunctions,
		'workflowNodeApi',
		options,
	)) as Response;
}

function isGood(status: number): boolean {
	return status >= 200 && status < 300;
}

/** Sends a request, and reads the JSON of the response. */
export async function json<T>(context: Context, order: ApiRequest): Promise<T> {
	const response = await request(context, order);
	const body = parse(response.body);
	if (body === undefined) throw foreign(context, response);
	return body as T;
}

/** All entries of a list. */
export async function entries<T>(
	context: Context,
	path: string,
	name: string,
	query: IDataObject = {},
): Promise<T[]> {
	const found: T[] = [];
	let cursor: string | undefined;
	do {
		const page = await json<Record<string, T[]> & { next_cursor?: string }>(context, {
			method: 'GET',
			path,
			query: cursor === undefined ? query : { ...query, cursor },
		});
		found.push(...page[name]);
		cursor = page.next_cursor;
	} while (cursor !== undefined);
	return found;
}

function parse(text: string): Record<string, unknown> | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === 'object' && value !== null && !Array.isArray(value)
			? (value as Record<string, unknown>)
			: undefined;
	} catch {
		return undefined;
	}
}

function detail(response: Response): ErrorDetail | undefined {
	const error = parse(response.body)?.error as ErrorDetail | undefined;
	return typeof error?.name === 'string' ? error : undefined;
}

/** Whether the plugin has failed, and not a proxy before the server. */
function isOfPlugin(response: Response): boolean {
	return response.statusCode === 502 && detail(response) !== undefined;
}

/** How a stream has ended; `undefined` if it has broken off. */
function endOf(body: string): string | undefined {
	const line = parse(body.trimEnd().split('\n').pop() ?? '');
	const status = (line?.execution as { status?: string } | undefined)?.status;
	if (status !== undefined && !['queued', 'running'].includes(status)) return status;
	return line?.error !== undefined && line.item === undefined ? 'error' : undefined;
}

function refused(context: Context, response: Response): Error {
	const error = detail(response);
	return error ? apiError(context, error, response.statusCode) : foreign(context, response);
}

/** An error of the API, as n8n shows it. */
export function apiError(context: Context, error: ErrorDetail, status?: number): NodeApiError {
	const problems = (error.problems ?? []).map(({ pointer, message }) => `${pointer}: ${message}`);
	const itemIndex = /^\/items\/(\d+)/.exec(error.problems?.[0]?.pointer ?? '')?.[1];
	return new NodeApiError(context.getNode(), { ...error } as unknown as JsonObject, {
		message: error.message,
		description: [...problems, ...(error.next ? [error.next] : [])].join('\n'),
		httpCode: status === undefined ? error.name : String(status),
		...(itemIndex === undefined ? {} : { itemIndex: Number(itemIndex) }),
	});
}

function foreign(context: Context, response: Response): Error {
	return new NodeOperationError(
		context.getNode(),
		`The response with status ${response.statusCode} is not from a workflow-node server`,
		{ description: response.body.slice(0, 200) },
	);
}
