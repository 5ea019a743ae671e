/** The parameters that the user has set in a node. */

import type { IDataObject, IExecuteFunctions, IHookFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { filled, LIST } from './form';

/** Reads a parameter of the node, for one item. */
export type Read = (name: string, fallback?: unknown) => unknown;

/** The value of a resource locator. */
export function chosen(context: IExecuteFunctions | IHookFunctions, read: Read, name: string): string {
	const value = read(name, '');
	const text = String((value as { value?: unknown } | null)?.value ?? value ?? '');
	if (text === '') {
		throw new NodeOperationError(context.getNode(), `Choose a value for "${name}"`);
	}
	return text;
}

/** The parameters of an item. */
export function parametersOf(
	context: IExecuteFunctions | IHookFunctions,
	read: Read,
	itemIndex?: number,
): IDataObject {
	const isJson = read('mode', 'form') === 'json';
	const parameters = isJson
		? object(context, read('json', '{}'), itemIndex)
		: filled((read('parameters.value', {}) ?? {}) as IDataObject);
	const lookUps = (read('lookUps.lookUp', []) ?? []) as Array<{
		parameter: string;
		value: { value?: unknown } | string;
	}>;
	for (const { parameter, value } of lookUps) {
		const given = typeof value === 'object' ? value?.value : value;
		if (!parameter || given === undefined || given === null || given === '') continue;
		if (parameter.endsWith(LIST)) {
			const name = parameter.slice(0, -LIST.length);
			const list = parameters[name];
			parameters[name] = [...(Array.isArray(list) ? list : []), given] as IDataObject[];
		} else {
			parameters[parameter] = given as IDataObject;
		}
	}
	return parameters;
}

function object(
	context: IExecuteFunctions | IHookFunctions,
	value: unknown,
	itemIndex?: number,
): IDataObject {
	let parsed = value;
	if (typeof value === 'string') {
		try {
			parsed = JSON.parse(value);
		} catch (error) {
			throw new NodeOperationError(
				context.getNode(),
				`The parameters are not JSON: ${(error as Error).message}`,
				{ itemIndex },
			);
		}
	}
	if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
		throw new NodeOperationError(context.getNode(), 'The parameters are not a JSON object', {
			itemIndex,
		});
	}
	return { ...(parsed as IDataObject) };
}
