import type {
	IDataObject,
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError, NodeConnectionTypes } from 'n8n-workflow';

import type { ItemError, ItemResult } from '../execution';
import { executionId, run } from '../execution';
import {
	loadLookUps,
	loadSlots,
	mainSlot,
	parameterFields,
	searchAccounts,
	searchActions,
	searchChoices,
	searchPlugins,
	searchResources,
	slotsOf,
} from '../lists';
import { chosen, parametersOf } from '../parameters';
import { accountProperty, locator, parameterProperties } from '../properties';

export class WorkflowNode implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Workflow Node',
		name: 'workflowNode',
		icon: {
			light: 'file:../../icons/workflow-node.light.svg',
			dark: 'file:../../icons/workflow-node.dark.svg',
		},
		group: ['transform'],
		version: 1,
		subtitle: '={{ $parameter["plugin"]["value"] + ": " + $parameter["action"]["value"] }}',
		description: 'Runs an action of a plugin through a workflow-node server',
		defaults: { name: 'Workflow Node' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'workflowNodeApi', required: true }],
		properties: [
			locator('Plugin', 'plugin', 'searchPlugins', 'Plugin that the server runs', {
				required: true,
			}),
			locator('Resource', 'resource', 'searchResources', 'Narrows the list of actions'),
			locator('Action', 'action', 'searchActions', 'Action to run', { required: true }),
			accountProperty,
			...parameterProperties('actions'),
			{
				displayName: 'Options',
				name: 'options',
				type: 'collection',
				placeholder: 'Add option',
				default: {},
				options: [
					{
						displayName: 'Accounts of Other Slots',
						name: 'accounts',
						type: 'fixedCollection',
						typeOptions: { multipleValues: true },
						default: {},
						description: 'Accounts for actions that use more than one',
						options: [
							{
								displayName: 'Account',
								name: 'account',
								values: [
									{
										displayName: 'Account',
										name: 'name',
										type: 'string',
										default: '',
										noDataExpression: true,
										description: 'Name of the account',
									},
									{
										displayName: 'Slot Name or ID',
										name: 'slot',
										type: 'options',
										default: '',
										noDataExpression: true,
										typeOptions: { loadOptionsMethod: 'loadSlots' },
										description:
											'Slot of the action. Choose from the list, or specify an ID using an <a href="https://docs.n8n.io/code/expressions/">expression</a>.',
									},
								],
							},
						],
					},
					{
						displayName: 'Maximum Duration (Seconds)',
						name: 'timeout',
						type: 'number',
						typeOptions: { minValue: 1 },
						default: 300,
						description: 'Maximum duration of all items',
					},
					{
						displayName: 'Simultaneous Items',
						name: 'concurrency',
						type: 'number',
						typeOptions: { minValue: 1 },
						default: 1,
						description: 'Maximum number of items in progress at once',
					},
				],
			},
		],
	};

	methods = {
		listSearch: {
			searchPlugins,
			searchResources,
			searchActions,
			searchAccounts: searchAccounts('actions'),
			searchChoices: searchChoices('actions'),
		},
		loadOptions: { loadLookUps: loadLookUps('actions'), loadSlots: loadSlots('actions') },
		resourceMapping: { parameterFields: parameterFields('actions') },
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const input = this.getInputData();
		const reader = (itemIndex: number) => (name: string, fallback?: unknown) =>
			this.getNodeParameter(name, itemIndex, fallback as IDataObject);
		const first = reader(0);
		const plugin = chosen(this, first, 'plugin');
		const action = chosen(this, first, 'action');
		const options = first('options', {}) as {
			accounts?: { account?: Array<{ slot: string; name: string }> };
			concurrency?: number;
			timeout?: number;
		};
		const items = input.map((_, item) => parametersOf(this, reader(item), item));
		const slot = mainSlot(await slotsOf(this, plugin, 'actions', action));
		const account = first('account', '') as { value?: string } | string;
		const name = typeof account === 'object' ? account?.value : account;
		const credentials = Object.fromEntries(
			(options.accounts?.account ?? []).map((other) => [other.slot, other.name]),
		);
		if (slot !== undefined && name) credentials[slot] = name;

		const { id, name: workflowName } = this.getWorkflow();
		const identity = [
			this.getInstanceId(),
			String(id),
			this.getExecutionId(),
			this.getNode().id,
			String(this.evaluateExpression('{{ $runIndex }}', 0)),
			plugin,
			action,
		];
		const results = await run(this, {
			plugin,
			action,
			credentials,
			items,
			executionId: executionId(identity, items),
			workflow: `n8n ${workflowName ?? id}`.slice(0, 500),
			continueOnFail: this.continueOnFail(),
			concurrency: options.concurrency,
			timeoutMs: options.timeout === undefined ? undefined : options.timeout * 1000,
			signal: this.getExecutionCancelSignal(),
		});

		const output: INodeExecutionData[] = [];
		results.forEach(({ records, error }, item) => {
			for (const record of records) {
				output.push({ json: asObject(record), pairedItem: { item } });
			}
			// n8n sends what has only this member to the error output, if the node has one.
			if (error) output.push({ json: { error: { ...error } as IDataObject }, pairedItem: { item } });
		});
		if (!this.continueOnFail()) {
			const failure = firstFailure(results);
			if (failure) throw itemError(this, failure.error, failure.item);
		}
		return [output];
	}
}

function asObject(record: unknown): IDataObject {
	const isObject = typeof record === 'object' && record !== null && !Array.isArray(record);
	return isObject ? (record as IDataObject) : { value: record as IDataObject };
}

/** The error of an item, as n8n shows it. */
function itemError(context: IExecuteFunctions, error: ItemError, itemIndex: number): NodeApiError {
	const detail =
		typeof error.detail === 'string' ? error.detail : error.detail && JSON.stringify(error.detail);
	return new NodeApiError(context.getNode(), { ...error } as unknown as JsonObject, {
		message: error.message,
		description: [
			`Kind: ${error.kind}`,
			...(error.code ? [`Code of the service: ${error.code}`] : []),
			...(detail ? [`Details: ${detail}`] : []),
		].join('\n'),
		httpCode: error.http_status ? String(error.http_status) : undefined,
		itemIndex,
	});
}

/** The first failure that is not a consequence of another one, or else the first. */
function firstFailure(
	results: ItemResult[],
): { item: number; error: ItemError } | undefined {
	const failures = results.flatMap(({ error }, item) => (error ? [{ item, error }] : []));
	return failures.find(({ error }) => error.kind !== 'cancelled') ?? failures[0];
}
