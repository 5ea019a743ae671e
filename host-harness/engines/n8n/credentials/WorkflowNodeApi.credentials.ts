import type {
	IAuthenticateGeneric,
	ICredentialTestRequest,
	ICredentialType,
	Icon,
	INodeProperties,
} from 'n8n-workflow';

export class WorkflowNodeApi implements ICredentialType {
	name = 'workflowNodeApi';

	displayName = 'Workflow Node Server API';

	icon: Icon = {
		light: 'file:../icons/workflow-node.light.svg',
		dark: 'file:../icons/workflow-node.dark.svg',
	};

	documentationUrl =
		'https://github.com/workflow-node/workflow-node/blob/main/docs/engines/n8n.md';

	properties: INodeProperties[] = [
		{
			displayName: 'Server URL',
			name: 'url',
			type: 'string',
			default: 'http://127.0.0.1:7410',
			required: true,
			description: 'URL of the workflow-node server, as n8n reaches it',
		},
		{
			displayName: 'Token',
			name: 'token',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			required: true,
			description: 'Token of the server. "harness token create n8n --role run" creates one.',
		},
	];

	authenticate: IAuthenticateGeneric = {
		type: 'generic',
		properties: {
			headers: {
				Authorization: '=Bearer {{$credentials.token}}',
			},
		},
	};

	test: ICredentialTestRequest = {
		request: {
			baseURL: '={{$credentials.url}}',
			url: '/v1/health',
			disableFollowRedirect: true,
		},
	};
}
