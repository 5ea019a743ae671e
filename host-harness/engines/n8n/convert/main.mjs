#!/usr/bin/env node
// node convert/main.mjs WORKFLOW.json --map MAP.json [--account NAME] [--credential ID:NAME]
//
// Prints the converted workflow on standard output, and on standard error what a person must look at.
// The forms come from the server in WORKFLOW_NODE_URL, with the token in WORKFLOW_NODE_TOKEN. Exits
// with 3 if something could not be translated.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { convert } from './convert.mjs';

const USAGE =
	'usage: main.mjs WORKFLOW.json --map MAP.json [--account NAME] [--credential ID:NAME]';

async function main() {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			map: { type: 'string' },
			account: { type: 'string' },
			credential: { type: 'string' },
		},
	});
	const token = process.env.WORKFLOW_NODE_TOKEN;
	if (positionals.length !== 1 || !values.map) throw new Error(USAGE);
	if (!token) throw new Error('Set WORKFLOW_NODE_TOKEN to a token of the server');
	const server = (process.env.WORKFLOW_NODE_URL ?? 'http://127.0.0.1:7410').replace(/\/+$/, '');
	const [workflow, map] = await Promise.all(
		[positionals[0], values.map].map(async (path) => JSON.parse(await readFile(path, 'utf8'))),
	);
	const loadForm = async (action) => {
		const path = `/v1/plugins/${encodeURIComponent(map.plugin)}/actions/${encodeURIComponent(action)}`;
		const headers = { authorization: `Bearer ${token}` };
		const response = await fetch(server + path, { headers, redirect: 'error' });
		const body = await response.json();
		if (!response.ok) throw new Error(`${action}: ${body.error.message}`);
		return body.form;
	};
	const [id, ...name] = values.credential?.split(':') ?? [];
	const credential = id ? { id, name: name.join(':') } : undefined;
	const result = await convert(workflow, map, { account: values.account, credential, loadForm });
	process.stdout.write(`${JSON.stringify(result.workflow, null, 2)}\n`);
	for (const { node, kind, message } of result.report) {
		process.stderr.write(`${node}: ${kind}: ${message}\n`);
	}
	const isComplete = result.report.every(({ kind }) => kind === 'difference');
	process.exitCode = isComplete ? 0 : 3;
}

main().catch((error) => {
	process.stderr.write(`${error.message}\n`);
	process.exitCode = 1;
});
