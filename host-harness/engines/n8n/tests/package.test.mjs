// The findings of n8n's scanner of community packages.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import {
	analyzePackage,
	SOURCE_FILE_PATTERNS,
} from '@n8n/scan-community-package/scanner/scanner.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = createRequire(import.meta.url)('../package.json');

test('the scanner accepts the sources and what is published', async () => {
	for (const patterns of [SOURCE_FILE_PATTERNS, ['dist/**/*.js', 'package.json']]) {
		const result = await analyzePackage(root, patterns);
		assert.ok(result.passed, `${result.message}\n${result.details}`);
	}
});

test('the package has no dependencies at run time', () => {
	assert.equal(manifest.dependencies, undefined);
	assert.deepEqual(Object.keys(manifest.peerDependencies), ['n8n-workflow']);
});
