// A workflow node in JavaScript, built with the default settings of componentize-js. It lists the
// abilities of a PagerDuty account.

import { send } from 'workflow:node/http@0.1.0';
import { log } from 'workflow:node/context@0.1.0';

const ORIGIN = 'https://api.pagerduty.com';

const NODE = {
  name: 'abilities-javascript',
  version: 1,
  display_name: 'Abilities (JavaScript)',
  description: 'Lists the abilities of a PagerDuty account.',
  origins: [ORIGIN],
  slots: { account: { credential_types: ['token'], description: 'Account to read.' } },
  actions: [
    {
      name: 'ability.list',
      version: 1,
      title: 'List abilities',
      description: 'Returns the abilities of the account.',
      slots: { account: { required: true } },
      effect: 'read',
      idempotency: 'safe',
      parameters: {
        type: 'object',
        properties: {
          prefix: {
            type: 'string',
            title: 'Prefix',
            description: 'Returns only abilities whose names begin with this text.',
          },
        },
        additionalProperties: false,
      },
      output: {
        main: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
      },
    },
    {
      name: 'exception.throw',
      version: 1,
      title: 'Throw an exception',
      description: 'Shows how an exception that nothing catches is reported.',
      slots: {},
      effect: 'read',
      idempotency: 'safe',
      parameters: {
        type: 'object',
        properties: { message: { type: 'string', title: 'Message' } },
        required: ['message'],
        additionalProperties: false,
      },
      output: { main: {} },
    },
    {
      name: 'outside.reach',
      version: 1,
      title: 'Reach the outside',
      description: 'Tries what the language offers beside workflow:node. All of it is refused.',
      slots: {},
      effect: 'read',
      idempotency: 'safe',
      parameters: {
        type: 'object',
        properties: { address: { type: 'string', title: 'Address', description: 'Host and port.' } },
        required: ['address'],
        additionalProperties: false,
      },
      output: { main: {} },
    },
  ],
};

const CREDENTIAL_TYPES = {
  credential_types: [
    {
      name: 'token',
      version: 1,
      display_name: 'API token',
      description: 'REST API token of a PagerDuty account.',
      fields: {
        type: 'object',
        properties: { token: { type: 'string', title: 'Token', writeOnly: true } },
        required: ['token'],
      },
      grant: { kind: 'fixed' },
      origins: [ORIGIN],
      placements: [
        {
          kind: 'header',
          name: 'Authorization',
          value: 'Token token={token}',
          origins: [ORIGIN],
          path: '/**',
        },
      ],
    },
  ],
};

function error(kind, message) {
  return {
    kind,
    message,
    code: undefined,
    httpStatus: undefined,
    retryAfter: undefined,
    detail: undefined,
  };
}

function request(method, path, credential) {
  return send({
    method,
    url: ORIGIN + path,
    headers: [['Accept', 'application/vnd.pagerduty+json;version=2']],
    body: undefined,
    credential,
    timeout: undefined,
    idempotencyKey: undefined,
  });
}

async function reach(address) {
  const attempts = {
    fetch: () => fetch(`http://${address}/`),
    post: () => fetch(`http://${address}/`, { method: 'POST', body: 'x'.repeat(100_000) }),
  };
  const report = { reached: [], refused: [] };
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
      report.reached.push(name);
    } catch {
      report.refused.push(name);
    }
  }
  return report;
}

/** Runs an action for one item: returns a `result` of the component model. */
async function run(action, item) {
  if (action === 'exception.throw') {
    throw new Error(item.message);
  }
  if (action === 'outside.reach') {
    const json = JSON.stringify(await reach(item.address));
    return { tag: 'ok', val: [{ port: 'main', json }] };
  }
  let response;
  try {
    response = request('GET', '/abilities', 'account');
  } catch (failure) {
    return { tag: 'err', val: error('unavailable', failure.payload.message) };
  }
  if (response.status !== 200) {
    const failure = error('internal', `The service returned ${response.status}.`);
    return { tag: 'err', val: { ...failure, httpStatus: response.status } };
  }
  const { abilities } = JSON.parse(new TextDecoder().decode(new Uint8Array(response.body)));
  log('debug', `read ${abilities.length} abilities`, '');
  const records = abilities
    .filter((name) => name.startsWith(item.prefix ?? ''))
    .map((name) => ({ port: 'main', json: JSON.stringify({ name }) }));
  return { tag: 'ok', val: records };
}

export const node = {
  describe: () => JSON.stringify(NODE),
  async execute(call) {
    const results = [];
    for (const item of call.items) {
      results.push(await run(call.action, JSON.parse(item)));
    }
    return results;
  },
  loadOptions: () => JSON.stringify({ options: [] }),
};

export const credentialType = {
  describe: () => JSON.stringify(CREDENTIAL_TYPES),
  configure: () => JSON.stringify({ audiences: [ORIGIN] }),
  test: () => JSON.stringify({ summary: 'Not checked.' }),
};
