import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type {
	IDataObject,
	IHookFunctions,
	INodeType,
	INodeTypeDescription,
	IWebhookFunctions,
	IWebhookResponseData,
} from 'n8n-workflow';
import { NodeConnectionTypes, NodeOperationError } from 'n8n-workflow';

import { apiPath, json, request } from '../api';
import {
	loadLookUps,
	mainSlot,
	parameterFields,
	searchAccounts,
	searchChoices,
	searchPlugins,
	searchTriggers,
	slotsOf,
} from '../lists';
import { chosen, parametersOf } from '../parameters';
import { accountProperty, locator, parameterProperties } from '../properties';

/** The ID of a subscription follows from the address that receives its events. */
export function subscriptionId(url: string): string {
	return `n8n-${createHash('sha256').update(url).digest('hex').slice(0, 40)}`;
}

/** Whether the server has signed a body. */
export function isSigned(secret: string, body: Buffer, signature: unknown): boolean {
	const expected = `v1=${createHmac('sha256', secret).update(body).digest('hex')}`;
	const given = Buffer.from(typeof signature === 'string' ? signature : '');
	return given.length === expected.length && timingSafeEqual(given, Buffer.from(expected));
}

export class WorkflowNodeTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Workflow Node Trigger',
		name: 'workflowNodeTrigger',
		icon: {
			light: 'file:../../icons/workflow-node.light.svg',
			dark: 'file:../../icons/workflow-node.dark.svg',
		},
		group: ['trigger'],
		version: 1,
		subtitle: '={{ $parameter["plugin"]["value"] + ": " + $parameter["trigger"]["value"] }}',
		description: 'Starts the workflow with events of a plugin of a workflow-node server',
		defaults: { name: 'Workflow Node Trigger' },
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'workflowNodeApi', required: true }],
		webhooks: [
			{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: 'workflow-node' },
		],
		properties: [
			locator('Plugin', 'plugin', 'searchPlugins', 'Plugin that the server runs', {
				required: true,
			}),
			locator('Trigger', 'trigger', 'searchTriggers', 'Trigger to subscribe to', {
				required: true,
			}),
			accountProperty,
			...parameterProperties('triggers'),
		],
	};

	methods = {
		listSearch: {
			searchPlugins,
			searchTriggers,
			searchAccounts: searchAccounts('triggers'),
			searchChoices: searchChoices('triggers'),
		},
		loadOptions: { loadLookUps: loadLookUps('triggers') },
		resourceMapping: { parameterFields: parameterFields('triggers') },
	};

	webhookMethods = {
		default: {
			/** Subscribing again is harmless, and applies changes of the parameters. */
			async checkExists(this: IHookFunctions): Promise<boolean> {
				return false;
			},

			async create(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const read = (name: string, fallback?: unknown) =>
					this.getNodeParameter(name, fallback as IDataObject);
				const plugin = chosen(this, read, 'plugin');
				const trigger = chosen(this, read, 'trigger');
				const account = read('account', '') as { value?: string } | string;
				const name = typeof account === 'object' ? account?.value : account;
				const slot = mainSlot(await slotsOf(this, plugin, 'triggers', trigger));
				const state = this.getWorkflowStaticData('node');
				const id = subscriptionId(url);
				const order = {
					plugin,
					trigger,
					credentials: slot !== undefined && name ? { [slot]: name } : {},
					parameters: parametersOf(this, read),
					deliver_to: url,
					workflow: `n8n ${this.getWorkflow().name ?? ''}`.slice(0, 500),
					// A person who listens for a test event gets no webhook of their own at the service.
					sample: this.getMode() === 'manual',
				};
				const subscribe = async (more: IDataObject) =>
					await json<{ secret?: string }>(this, {
						method: 'PUT',
						path: apiPath(this, 'subscriptions', id),
						body: { ...order, ...more },
					});
				let { secret } = await subscribe({});
				if (secret === undefined && (state.id !== id || !state.secret)) {
					// An earlier subscription was not removed, and its secret is lost.
					({ secret } = await subscribe({ rotate_secret: true }));
				}
				if (secret !== undefined) Object.assign(state, { id, secret, last: 0 });
				return true;
			},

			async delete(this: IHookFunctions): Promise<boolean> {
				const url = this.getNodeWebhookUrl('default') as string;
				const path = apiPath(this, 'subscriptions', subscriptionId(url));
				await request(this, { method: 'DELETE', path, expected: [404] });
				const state = this.getWorkflowStaticData('node');
				for (const name of ['id', 'secret', 'last']) delete state[name];
				return true;
			},
		},
	};

	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		const state = this.getWorkflowStaticData('node');
		const received = this.getRequestObject();
		const body = received.rawBody;
		if (typeof state.secret !== 'string') {
			throw new NodeOperationError(this.getNode(), 'The secret of the subscription is lost', {
				description: 'Deactivate and activate the workflow.',
			});
		}
		const signature = this.getHeaderData()['x-harness-signature'];
		if (!isSigned(state.secret, body, signature)) {
			this.getResponseObject().status(401).end();
			return { noWebhookResponse: true };
		}
		const delivery = JSON.parse(body.toString()) as { number: number; event: IDataObject };
		// The server sends an event again if the response to it was lost.
		if (delivery.number <= Number(state.last ?? 0)) return { webhookResponse: 'repeated' };
		state.last = delivery.number;
		return { workflowData: [this.helpers.returnJsonArray(delivery.event)] };
	}
}
