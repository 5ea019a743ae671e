// The actions of a person in n8n's editor.

import { chromium } from 'playwright-core';

import { PATIENCE_MS, until } from '../tests/support.mjs';

/** Whether the workflow in the editor has a value. Runs in the browser. */
function isInWorkflow(value) {
	const { $pinia } = document.querySelector('#app').__vue_app__.config.globalProperties;
	const stores = Object.entries($pinia.state.value).filter(([name]) => /workflow/i.test(name));
	const seen = new Set();
	const isIn = (one) => {
		if (one === value) return true;
		if (typeof one !== 'object' || one === null || seen.has(one)) return false;
		seen.add(one);
		return Object.values(one).some(isIn);
	};
	return stores.some(([, store]) => isIn(store));
}

/** Opens a browser in which the owner is signed in. */
export async function openBrowser(n8n, api) {
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
	const context = await browser.newContext({ viewport: { width: 1500, height: 950 } });
	await context.addInitScript((id) => localStorage.setItem('n8n-browserId', id), api.browserId);
	const [name, value] = api.cookie().split(/=(.*)/s);
	await context.addCookies([{ name, value, domain: '127.0.0.1', path: '/' }]);
	const page = await context.newPage();
	page.setDefaultTimeout(PATIENCE_MS);
	const at = (id) => page.locator(`[data-test-id=${JSON.stringify(id)}]`);

	return {
		page,
		close: () => browser.close(),
		screenshot: (path) => page.screenshot({ path }),

		async openNode(workflow, node) {
			await page.goto(`${n8n.url}/workflow/${workflow}`);
			// The canvas ignores clicks until it has been drawn.
			await until('the parameters of the node', async () => {
				const isOpen = await at('node-parameters').isVisible();
				if (!isOpen) await at('canvas-node').filter({ hasText: node }).dblclick();
				return isOpen;
			});
			// The expressions of the form are shown with the values of the first item.
			const input = at('ndv-input-panel');
			await input.getByText('Execute previous nodes').first().click();
			await input.getByText(/\d+ items?/).first().waitFor();
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
			// The editor takes over what is typed a moment later.
			await page.waitForFunction(isInWorkflow, `=${expression}`);
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
