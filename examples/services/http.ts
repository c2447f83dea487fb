/**
 * What the example services have in common: numbered records that a client puts in one by one and asks for later, and a
 * health check. An answer of 201 promises that the record is durable.
 */
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';

export interface Records {
  /** Resolves when the record is durable; a number that is there already changes nothing. */
  add(id: number): Promise<void> | void;
  ids(): Promise<readonly number[]> | readonly number[];
  /** What is known of the service's state. Throws when it can't do its work. */
  health(): Promise<Readonly<Record<string, unknown>>> | Readonly<Record<string, unknown>>;
  close(): Promise<void> | void;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function healthOf(records: Records): Promise<Answer> {
  try {
    return { status: 200, body: { status: 'healthy', ...(await records.health()) } };
  } catch (error) {
    return { status: 503, body: { status: 'unhealthy', problem: messageOf(error) } };
  }
}

async function answerTo(request: IncomingMessage, collection: string, records: Records): Promise<Answer> {
  const [, place, id] = (request.url ?? '').split('/');
  if (place === 'health') return healthOf(records);
  if (place !== collection) return { status: 404, body: {} };
  if (request.method === 'POST' && /^\d{1,9}$/.test(id ?? '')) {
    await records.add(Number(id));
    return { status: 201, body: { id: Number(id) } };
  }
  return request.method === 'GET' && id === undefined
    ? { status: 200, body: await records.ids() }
    : { status: 405, body: {} };
}

/** `POST /<collection>/<number>`, `GET /<collection>`, `GET /health`; ends in order on SIGTERM. */
export function serve(collection: string, records: Records): void {
  const port = Number(process.env['PORT'] ?? '8080');
  const server = createServer((request, response) => {
    void answerTo(request, collection, records)
      .catch((error: unknown): Answer => ({ status: 500, body: { problem: messageOf(error) } }))
      .then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
      });
  });
  server.listen(port, process.env['HOST'] ?? '0.0.0.0', () => {
    console.log(JSON.stringify({ listening: port }));
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      void Promise.resolve(records.close()).finally(() => process.exit(0));
    });
  }
}
