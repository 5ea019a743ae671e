// A workflow node in JavaScript, built with the default settings of componentize-js: a few actions for
// PagerDuty. docs/javascript.md explains it part by part.

import { next } from 'workflow:node/completions@0.1.0';
import { log } from 'workflow:node/context@0.1.0';
import { submit, take } from 'workflow:node/http@0.1.0';

const ORIGIN = 'https://api.pagerduty.com';

// ---- The documents: what the node says about itself. ---------------------------------------------------

const SERVICE = {
  type: 'object',
  title: 'Service',
  properties: {
    id: { type: 'string', title: 'ID', description: 'ID of the service.' },
    name: { type: 'string', title: 'Name', description: 'Name of the service.' },
    status: { type: 'string', title: 'Status', description: 'Whether it has open incidents.' },
  },
  required: ['id', 'name'],
};

const NOTE = {
  type: 'object',
  title: 'Note',
  properties: {
    id: { type: 'string', title: 'ID', description: 'ID of the note.' },
    content: { type: 'string', title: 'Text', description: 'Text of the note.' },
  },
  required: ['id', 'content'],
};

const NODE = {
  name: 'pagerduty-javascript',
  version: 1,
  display_name: 'PagerDuty (JavaScript)',
  description: 'Reads services and adds notes to incidents of a PagerDuty account.',
  origins: [ORIGIN],
  slots: { account: { credential_types: ['token'], description: 'Account to use.' } },
  actions: [
    {
      name: 'ability.list',
      version: 1,
      title: 'List abilities',
      description: 'Returns the abilities of the account, which follow from its plan.',
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
        main: {
          type: 'object',
          properties: {
            name: { type: 'string', title: 'Name', description: 'Name of the ability.' },
          },
          required: ['name'],
        },
      },
      examples: [{ title: 'All abilities', parameters: {} }],
    },
    {
      name: 'service.get',
      version: 1,
      title: 'Get a service',
      description: 'Returns the service with this ID.',
      slots: { account: { required: true } },
      effect: 'read',
      idempotency: 'safe',
      parameters: {
        type: 'object',
        properties: {
          service_id: {
            type: 'string',
            minLength: 1,
            title: 'Service',
            description: 'ID of the service.',
          },
        },
        required: ['service_id'],
        additionalProperties: false,
      },
      output: { main: SERVICE },
      examples: [{ title: 'By ID', parameters: { service_id: 'PSERVICE' } }],
    },
    {
      name: 'note.create',
      version: 1,
      title: 'Add a note',
      description: 'Adds a note to an incident and returns it.',
      slots: { account: { required: true } },
      effect: 'create',
      // Sending it again would add a second note.
      idempotency: 'none',
      parameters: {
        type: 'object',
        properties: {
          incident_id: {
            type: 'string',
            minLength: 1,
            title: 'Incident',
            description: 'ID of the incident.',
          },
          content: { type: 'string', minLength: 1, title: 'Text', description: 'Text of the note.' },
          from: {
            type: 'string',
            format: 'email',
            title: 'From',
            description: 'Email address of the user who adds the note.',
          },
        },
        required: ['incident_id', 'content', 'from'],
        additionalProperties: false,
      },
      output: { main: NOTE },
      examples: [
        {
          title: 'A note',
          parameters: {
            incident_id: 'PINCIDENT',
            content: 'Restarted the worker.',
            from: 'ada@example.com',
          },
        },
      ],
    },
    {
      name: 'exception.throw',
      version: 1,
      title: 'Throw an exception',
      description: 'Shows how an exception that nothing catches is reported. For tests of the host.',
      slots: {},
      effect: 'read',
      idempotency: 'safe',
      parameters: {
        type: 'object',
        properties: {
          message: {
            type: 'string',
            title: 'Message',
            description: 'Message of the exception. Without one, nothing is thrown.',
          },
        },
        additionalProperties: false,
      },
      output: { main: { type: 'object', properties: {} } },
      examples: [{ title: 'No exception', parameters: {} }],
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
        properties: {
          address: { type: 'string', title: 'Address', description: 'Host and port to try.' },
        },
        required: ['address'],
        additionalProperties: false,
      },
      output: { main: { type: 'object', properties: {} } },
      examples: [{ title: 'This machine', parameters: { address: '127.0.0.1:9' } }],
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
        properties: {
          token: {
            type: 'string',
            title: 'Token',
            description: 'API access key from Integrations > API Access Keys.',
            writeOnly: true,
          },
        },
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

// ---- The requests: what each action sends, and what it returns of the answer. --------------------------

const ACTIONS = {
  'ability.list': {
    request: () => ({ method: 'GET', path: '/abilities' }),
    records: (body, item) => {
      const names = expect(body.abilities, (list) => list.every((name) => typeof name === 'string'));
      return names
        .filter((name) => name.startsWith(item.prefix ?? ''))
        .map((name) => ({ name }));
    },
  },
  'service.get': {
    request: (item) => ({ method: 'GET', path: `/services/${encodeURIComponent(item.service_id)}` }),
    records: (body) => [expect(body.service, (service) => typeof service.id === 'string')],
  },
  'note.create': {
    request: (item) => ({
      method: 'POST',
      path: `/incidents/${encodeURIComponent(item.incident_id)}/notes`,
      headers: [['From', item.from]],
      body: { note: { content: item.content } },
    }),
    records: (body) => [expect(body.note, (note) => typeof note.id === 'string')],
  },
};

/** A part of the answer, if it is what the node expects. */
function expect(value, is) {
  try {
    if (is(value)) {
      return value;
    }
  } catch {
    // It is something else, or missing.
  }
  throw new Unreadable();
}

class Unreadable extends Error {}

function start({ method, path, headers = [], body }) {
  return submit({
    method,
    url: ORIGIN + path,
    headers: [
      ['Accept', 'application/vnd.pagerduty+json;version=2'],
      ['Content-Type', 'application/json'],
      ...headers,
    ],
    body: body && new TextEncoder().encode(JSON.stringify(body)),
    // The host adds the credential of this slot. The node never sees it.
    credential: 'account',
    timeout: undefined,
    // None: the host does not repeat a write.
    idempotencyKey: undefined,
  });
}

// ---- Errors: engines act on their kind. ----------------------------------------------------------------

function failure(kind, message, more = {}) {
  return {
    tag: 'err',
    val: {
      kind,
      message,
      code: undefined,
      httpStatus: undefined,
      retryAfter: undefined,
      detail: undefined,
      ...more,
    },
  };
}

/** A response that reports an error. */
function refused(response, isWrite) {
  const kinds = {
    400: 'invalid-input',
    401: 'unauthenticated',
    403: 'forbidden',
    404: 'not-found',
    409: 'conflict',
    422: 'invalid-input',
    429: 'rate-limited',
  };
  const down = isWrite ? 'outcome-unknown' : 'unavailable';
  const kind = kinds[response.status] ?? (response.status >= 500 ? down : 'internal');
  return failure(kind, `PagerDuty returned the status ${response.status}.`, {
    httpStatus: response.status,
    retryAfter: response.retryAfter,
  });
}

/** A request without a response. */
function unanswered(error, isWrite) {
  const kinds = {
    denied: 'denied-by-host',
    credential: 'unauthenticated',
    'rate-limited': 'rate-limited',
    timeout: 'timeout',
    'over-budget': 'over-budget',
    cancelled: 'cancelled',
    'invalid-request': 'internal',
  };
  if (error.maybeSent && isWrite) {
    return failure('outcome-unknown', `${error.message} Look for the note before you add it again.`);
  }
  const kind = kinds[error.kind] ?? 'unavailable';
  return failure(kind, error.message, { retryAfter: error.retryAfter });
}

function outcome(action, item, ticket) {
  const isWrite = NODE.actions.find(({ name }) => name === action).effect !== 'read';
  let response;
  try {
    response = take(ticket);
  } catch (error) {
    return unanswered(error.payload, isWrite);
  }
  if (response.status < 200 || response.status >= 300) {
    return refused(response, isWrite);
  }
  try {
    const body = JSON.parse(new TextDecoder().decode(new Uint8Array(response.body)));
    const records = ACTIONS[action].records(body, item);
    log('debug', `read ${records.length} records`, '');
    return { tag: 'ok', val: records.map((record) => ({ port: 'main', json: JSON.stringify(record) })) };
  } catch (error) {
    if (!(error instanceof Unreadable || error instanceof SyntaxError)) {
      throw error;
    }
    const kind = isWrite ? 'outcome-unknown' : 'unavailable';
    return failure(kind, 'PagerDuty sent a response that the node cannot read.');
  }
}

// ---- Execution: many items at a time, and one result per item, in their order. -------------------------

function execute(action, items, options) {
  const isWrite = NODE.actions.find(({ name }) => name === action).effect !== 'read';
  // Writes are sent one after the other, in the order of the items.
  const most = isWrite ? 1 : (options.concurrency ?? items.length);
  const results = new Array(items.length);
  const open = new Map();
  let started = 0;
  let failed = false;
  for (;;) {
    while (started < items.length && open.size < most && !(failed && !options.continue_on_fail)) {
      open.set(start(ACTIONS[action].request(items[started])), started);
      started += 1;
    }
    const ticket = next();
    if (ticket === undefined) {
      break;
    }
    const position = open.get(ticket);
    open.delete(ticket);
    results[position] = outcome(action, items[position], ticket);
    failed ||= results[position].tag === 'err';
  }
  const notStarted = () => failure('cancelled', 'Not started, because another item failed.');
  return Array.from(results, (result) => result ?? notStarted());
}

/** For tests of the host: fetch, which leads nowhere. */
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
  return { tag: 'ok', val: [{ port: 'main', json: JSON.stringify(report) }] };
}

async function probe(action, item) {
  if (action === 'outside.reach') {
    return reach(item.address);
  }
  if (item.message !== undefined) {
    throw new Error(item.message);
  }
  return { tag: 'ok', val: [] };
}

// ---- The exports of the component. ---------------------------------------------------------------------

export const node = {
  describe: () => JSON.stringify(NODE),
  async execute(call) {
    const items = call.items.map((item) => JSON.parse(item));
    if (call.action in ACTIONS) {
      return execute(call.action, items, call.options ? JSON.parse(call.options) : {});
    }
    const results = [];
    for (const item of items) {
      results.push(await probe(call.action, item));
    }
    return results;
  },
  // No field of the node has choices.
  loadOptions: () => JSON.stringify({ choices: [] }),
};

export const credentialType = {
  describe: () => JSON.stringify(CREDENTIAL_TYPES),
  configure: () => JSON.stringify({ audiences: [ORIGIN] }),
  test: () => JSON.stringify({ summary: 'Not checked.' }),
};
