/** The HTTP endpoint of one process: `/metrics`, and nothing that changes anything. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { HoldfastError } from '../failures.ts';
import { isHostKnown } from '../observe/known-host.ts';
import { log } from '../observe/log.ts';
import type { MetricsAddress } from '../engine/metrics-address.ts';

export interface MetricsEndpoint {
  /** The port is the one that was found. */
  readonly address: MetricsAddress;
  close(): Promise<void>;
}

export interface Shown {
  readonly contentType: string;
  text(): Promise<string>;
  /** Names that are answered to, beside localhost, this machine's own and the address that was asked for. */
  readonly names?: readonly string[];
}

/** HOLDFAST_METRICS_NAMES, with commas between: by which names Prometheus asks. */
export function metricsNames(environment: NodeJS.ProcessEnv): string[] {
  return (environment['HOLDFAST_METRICS_NAMES'] ?? '').split(/[,\s]+/).filter((name) => name !== '');
}

const NOT_THAT_NAME =
  'not by that name: HOLDFAST_METRICS_NAMES, or `holdfast up --metrics-name`, says which are answered\n';

/** Whoever connects and says nothing is let go. */
const REQUEST_LIMIT_MS = 10_000;

/** Throws PortTaken when something else has the port, or the address is not of this machine. */
export async function serveMetrics(address: MetricsAddress, shown: Shown): Promise<MetricsEndpoint> {
  const names = [hostname(), address.host, ...(shown.names ?? [])];
  const server = createServer({ requestTimeout: REQUEST_LIMIT_MS }, (request, response) => {
    if (!isHostKnown(names, { host: request.headers.host, localAddress: request.socket.localAddress })) {
      response.writeHead(421, { 'content-type': 'text/plain', connection: 'close' }).end(NOT_THAT_NAME);
      return;
    }
    answer(request, response, shown).catch((error: unknown) => {
      log('metrics').error({ err: error }, 'the metrics could not be told');
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end('the metrics could not be told; the log says why\n');
    });
  });
  const port = await listen(server, address);
  // Metrics must not keep a process alive that has ended its work.
  server.unref();
  return { address: { host: address.host, port }, close: () => close(server) };
}

async function answer(request: IncomingMessage, response: ServerResponse, shown: Shown): Promise<void> {
  const { method = '', url = '' } = request;
  const [path] = url.split('?');
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD', 'content-type': 'text/plain' }).end('only reading\n');
    return;
  }
  if (path !== '/metrics') {
    response.writeHead(path === '/' ? 200 : 404, { 'content-type': 'text/plain' }).end('Holdfast: see /metrics\n');
    return;
  }
  const text = await shown.text();
  response.writeHead(200, { 'content-type': shown.contentType, 'cache-control': 'no-store' });
  response.end(method === 'HEAD' ? undefined : text);
}

async function listen(server: Server, { host, port }: MetricsAddress): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const why = (cause as NodeJS.ErrnoException).code ?? cause.message;
      reject(new HoldfastError('PortTaken', `metrics can't be shown at ${host}:${port} (${why})`, { cause }));
    });
    server.listen({ host, port, exclusive: true }, resolve);
  });
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
