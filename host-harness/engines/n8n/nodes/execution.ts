/** Executions: their ID, their results as lines, and their repetition. */

import { createHash } from 'node:crypto';
import type { IDataObject } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import type { Context, ErrorDetail } from './api';
import { apiError, apiPath, json, request } from './api';

export interface ItemError {
	kind: string;
	message: string;
	code?: string | null;
	http_status?: number | null;
	detail?: unknown;
}

export interface ItemResult {
	records: unknown[];
	error?: ItemError;
}

export interface Call {
	plugin: string;
	action: string;
	/** Names of credentials, by slot. */
	credentials: Record<string, string>;
	items: IDataObject[];
	executionId: string;
	workflow: string;
	continueOnFail: boolean;
	concurrency?: number;
	timeoutMs?: number;
	signal?: AbortSignal;
}

/** Kinds of errors that say that nothing was changed. */
const WITHOUT_EFFECT = ['unavailable', 'rate-limited', 'timeout', 'cancelled'];

/** An ID that is the same whenever n8n runs the same node for the same items again. */
export function executionId(parts: string[], items: IDataObject[]): string {
	const digest = createHash('sha256').update(JSON.stringify([parts, items])).digest('hex');
	return `n8n-${digest.slice(0, 48)}`;
}

/**
 * Runs an action, and returns the results of the items.
 *
 * n8n runs a node again (Retry On Fail) without telling it so. The server returns the stored results
 * of an execution that has run before. Then only the items run again that failed without effect, as
 * another execution.
 */
export async function run(context: Context, call: Call): Promise<ItemResult[]> {
	const results: ItemResult[] = [];
	let positions = call.items.map((_, position) => position);
	for (let attempt = 1; ; attempt++) {
		const id = attempt === 1 ? call.executionId : `${call.executionId}~${attempt}`;
		const path = apiPath(context, 'executions', id);
		const known = await request(context, { method: 'GET', path, expected: [404] });
		const items = positions.map((position) => call.items[position]);
		const found = await runOnce(context, { ...call, executionId: id, items });
		found.forEach((result, position) => {
			results[positions[position]] = result;
		});
		const failed = positions.filter((position) => results[position].error);
		const again = failed.filter((position) =>
			WITHOUT_EFFECT.includes(results[position].error?.kind ?? ''),
		);
		const isNew = known.statusCode === 404;
		if (isNew || again.length === 0 || (again.length < failed.length && !call.continueOnFail)) {
			return results;
		}
		positions = again;
	}
}

async function runOnce(context: Context, call: Call): Promise<ItemResult[]> {
	const { plugin, action, credentials, items, executionId: id, workflow } = call;
	const head = {
		execution_id: id,
		workflow,
		credentials,
		options: {
			continue_on_fail: call.continueOnFail,
			...(call.concurrency ? { concurrency: call.concurrency } : {}),
			...(call.timeoutMs ? { timeout_ms: call.timeoutMs } : {}),
		},
	};
	const response = await request(context, {
		method: 'POST',
		path: apiPath(context, 'plugins', plugin, 'actions', action, 'execute'),
		lines: [head, ...items].map((line) => JSON.stringify(line)).join('\n'),
		accept: 'application/x-ndjson',
		signal: call.signal,
	});
	const read = readLines(context, response.body, items.length);
	if (read.results.some((result) => result === undefined)) {
		// The stream has no lines for items that were not begun.
		const stored = await storedResults(context, id);
		stored.forEach((result, item) => (read.results[item] ??= result));
	}
	if (read.status !== 'finished' && !read.results.some((result) => result?.error)) {
		throw new NodeOperationError(context.getNode(), `The execution is ${read.status}`, {
			description: read.error?.message,
		});
	}
	return read.results.map((result) => result ?? { records: [] });
}

interface Line {
	item?: number;
	output?: unknown;
	status?: string;
	error?: ItemError & ErrorDetail;
	execution?: { status: string; error?: ErrorDetail };
}

/** The results in a stream, by item. */
export function readLines(
	context: Context,
	text: string,
	count: number,
): { results: Array<ItemResult | undefined>; status: string; error?: ErrorDetail } {
	const records: unknown[][] = Array.from({ length: count }, () => []);
	const results: Array<ItemResult | undefined> = Array.from({ length: count });
	let status = 'running';
	let error: ErrorDetail | undefined;
	for (const line of text.split('\n')) {
		if (line.trim() === '') continue;
		const read = JSON.parse(line) as Line;
		if (read.execution) {
			({ status, error } = read.execution);
		} else if (read.item === undefined) {
			throw apiError(context, read.error as ErrorDetail);
		} else if ('output' in read) {
			records[read.item].push(read.output);
		} else {
			results[read.item] = { records: records[read.item], error: read.error };
		}
	}
	return { results, status, error };
}

async function storedResults(context: Context, id: string): Promise<ItemResult[]> {
	const found: ItemResult[] = [];
	let cursor: string | undefined;
	do {
		const page = await json<{
			items: Array<{ output?: unknown[]; error?: ItemError }>;
			next_cursor?: string;
		}>(context, {
			method: 'GET',
			path: apiPath(context, 'executions', id, 'items'),
			query: cursor === undefined ? {} : { cursor },
		});
		found.push(...page.items.map(({ output, error }) => ({ records: output ?? [], error })));
		cursor = page.next_cursor;
	} while (cursor !== undefined);
	return found;
}
