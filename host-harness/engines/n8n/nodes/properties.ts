/** Parameters that both nodes have. */

import type { INodeProperties } from 'n8n-workflow';

import type { Kind } from './lists';

/** A choice from a list, or by name. Expressions are not allowed: a model must not choose it. */
export function locator(
	displayName: string,
	name: string,
	searchListMethod: string,
	description: string,
	more: Partial<INodeProperties> = {},
): INodeProperties {
	return {
		displayName,
		name,
		type: 'resourceLocator',
		default: { mode: 'list', value: '' },
		noDataExpression: true,
		description,
		modes: [
			{
				displayName: 'From List',
				name: 'list',
				type: 'list',
				typeOptions: { searchListMethod, searchable: true },
			},
			{ displayName: 'By Name', name: 'name', type: 'string' },
		],
		...more,
	};
}

/** The parameters of an action or of a trigger. */
export function parameterProperties(kind: Kind): INodeProperties[] {
	const form = kind === 'actions' ? 'action' : 'trigger';
	return [
		{
			displayName: 'Parameters',
			name: 'mode',
			type: 'options',
			noDataExpression: true,
			options: [
				{ name: 'Form', value: 'form', description: 'Fields of the form' },
				{ name: 'JSON', value: 'json', description: 'One JSON object with all parameters' },
			],
			default: 'form',
			description: 'How to set the parameters',
		},
		{
			displayName: 'Fields',
			name: 'parameters',
			type: 'resourceMapper',
			noDataExpression: true,
			default: { mappingMode: 'defineBelow', value: null },
			required: true,
			displayOptions: { show: { mode: ['form'] } },
			typeOptions: {
				loadOptionsDependsOn: ['plugin.value', `${form}.value`],
				resourceMapper: {
					resourceMapperMethod: 'parameterFields',
					mode: 'add',
					fieldWords: { singular: 'field', plural: 'fields' },
					addAllFields: true,
					supportAutoMap: false,
					noFieldsError: 'Choose a plugin and a name first.',
				},
			},
		},
		{
			displayName: 'JSON',
			name: 'json',
			type: 'json',
			default: '{}',
			displayOptions: { show: { mode: ['json'] } },
			description: 'The parameters as one JSON object, as the form of the server describes them',
		},
		{
			displayName: 'Look-Ups',
			name: 'lookUps',
			type: 'fixedCollection',
			placeholder: 'Choose From the Account',
			default: {},
			typeOptions: { multipleValues: true },
			description: 'Values that are chosen from the account. They replace the fields above.',
			options: [
				{
					displayName: 'Look-Up',
					name: 'lookUp',
					values: [
						{
							displayName: 'Parameter Name or ID',
							name: 'parameter',
							type: 'options',
							default: '',
							noDataExpression: true,
							typeOptions: {
								loadOptionsMethod: 'loadLookUps',
								loadOptionsDependsOn: ['plugin.value', `${form}.value`],
							},
							description:
								'Parameter to set. Choose from the list, or specify an ID using an <a href="https://docs.n8n.io/code/expressions/">expression</a>.',
						},
						locator('Value', 'value', 'searchChoices', 'Value of the parameter', {
							noDataExpression: false,
						}),
					],
				},
			],
		},
	];
}

/** Accounts of an action or of a trigger. */
export const accountProperty = locator(
	'Account',
	'account',
	'searchAccounts',
	'Account that the server holds. Its secrets never leave the server.',
);
