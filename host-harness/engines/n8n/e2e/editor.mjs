// The actions of a person in n8n's editor.

import { chromium } from 'playwright-core';

/** Opens a browser in which the owner is signed in. */
export async function openBrowser(n8n, api) {
	const browser = await chromium.launch({
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
	const context = await browser.newContext({ viewport: { width: 1500, height: 950 } });
	await context.addInitScript((id) => localStorage.setItem('n8n-browserId', id), api.browserId);
	const [name, value] = api.cookie().split(/=(.*)/s);
	await context.addCookies([{ name, value, domain: '127.0.0.1', path: '/' }]);
	const page = await context.newPage();
	page.setDefaultTimeout(120_000);
	const at = (id) => page.locator(`[data-test-id=${JSON.stringify(id)}]`);

	return {
		page,
		close: () => browser.close(),
		screenshot: (path) => page.screenshot({ path }),

		async openNode(workflow, node) {
			await page.goto(`${n8n.url}/workflow/${workflow}`);
			await at('canvas-node').filter({ hasText: node }).dblclick();
			await at('node-parameters').waitFor();
			// The expressions of the form are shown with the values of the first item.
			const previous = at('ndv-input-panel').getByText('Execute previous nodes');
			if (await previous.count()) {
				await previous.first().click();
				await at('ndv-input-panel').getByText(/\d+ items?/).first().waitFor();
			}
		},

		/** Opens the list of a parameter, and returns its entries. */
		async open(parameter) {
			await at(`resource-locator-${parameter}`).locator('[data-test-id="rlc-input"]').click();
			const items = page.locator('[data-test-id="rlc-item"]:visible');
			await items.first().waitFor();
			return items;
		},

		async choose(parameter, text) {
			const items = await this.open(parameter);
			await items.filter({ hasText: text }).first().click();
			await items.first().waitFor({ state: 'hidden' });
		},

		/** Sets a field of the form to an expression. */
		async setExpression(field, expression) {
			const input = at(`parameter-input-${field}`);
			const options = at(`value["${field}"]-parameter-input-options-container`);
			await input.hover();
			await options.locator('[data-test-id="radio-button-expression"]').click();
			await input.locator('.cm-content').click();
			await page.keyboard.press('Control+A');
			await page.keyboard.insertText(expression);
			await page.keyboard.press('Escape');
			// The editor saves what is typed a moment later.
			await page.waitForTimeout(1000);
		},

		/** Runs the node, and waits for its output. */
		async executeNode() {
			await at('node-execute-button').click();
			await at('output-panel').getByText(/\d+ items?/).first().waitFor();
			await at('output-panel').getByText('JSON', { exact: true }).click();
		},

		/** The text of the output. */
		async output() {
			return await at('output-panel').innerText();
		},
		at,
	};
}
