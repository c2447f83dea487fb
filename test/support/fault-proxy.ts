/** An HTTP proxy in front of a real server that misbehaves as told: what a bad network or an overloaded store does. */
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type Fault =
  /** Answers by itself, without the server: `503` with an S3 error, or an HTML page as a load balancer sends it. */
  | { readonly kind: 'status'; readonly status: number; readonly code?: string; readonly body?: string }
  /** Reads the request and never answers. */
  | { readonly kind: 'hang' }
  /** Closes the connection hard, before the server sees the request. */
  | { readonly kind: 'reset' }
  /** The server does what was asked; its answer is lost. */
  | { readonly kind: 'lose-answer' }
  /** Announces the whole body, sends this part of it (0 to 1) and closes the connection. */
  | { readonly kind: 'cut'; readonly part: number }
  /** Announces the whole body, sends this part of it and then nothing more. */
  | { readonly kind: 'stall'; readonly part: number }
  /** Sends the body in this many pieces with a pause between them. */
  | { readonly kind: 'slow'; readonly pieces: number; readonly pauseMs: number };

export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** 1 for the first request since the proxy started. */
  readonly number: number;
}

export interface FaultProxy {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  /** These faults befall the next requests, one each; `undefined` lets one through. Later ones pass. */
  next(...faults: readonly (Fault | undefined)[]): void;
  /** Decides for every request, when no fault is queued; undefined lets it through. */
  always(decide: ((request: SeenRequest) => Fault | undefined) | undefined): void;
  close(): Promise<void>;
}

/** Starts a proxy on a free loopback port. Requests reach the server unchanged, so signatures hold. */
export async function startFaultProxy(upstreamUrl: string): Promise<FaultProxy> {
  const upstream = new URL(upstreamUrl);
  // No kept connections: one that the server closes meanwhile would be a fault nobody asked for.
  const agent = new Agent({ keepAlive: false });
  const seen: SeenRequest[] = [];
  const queued: (Fault | undefined)[] = [];
  const sockets = new Set<Socket>();
  const closing = new AbortController();
  let decide: ((request: SeenRequest) => Fault | undefined) | undefined;

  const server = createServer((incoming, answer) => {
    const { method = '', url = '', headers } = incoming;
    const request: SeenRequest = { method, url, headers, number: seen.length + 1 };
    seen.push(request);
    const fault = queued.length > 0 ? queued.shift() : decide?.(request);
    serve({ incoming, answer, upstream, agent, fault, signal: closing.signal }).catch(() => incoming.socket.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    // A client that was reset resets in turn; that is expected here.
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    next: (...faults) => void queued.push(...faults),
    always: (next) => void (decide = next),
    close: async () => {
      closing.abort();
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly answer: ServerResponse;
  readonly upstream: URL;
  readonly agent: Agent;
  readonly fault: Fault | undefined;
  readonly signal: AbortSignal;
}

async function serve(exchange: Exchange): Promise<void> {
  const { incoming, answer, fault } = exchange;
  const body = await readAll(incoming);
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'reset') incoming.socket.resetAndDestroy();
  else if (fault?.kind === 'status') answerStatus(answer, fault);
  else await relay(exchange, body);
}

async function relay(exchange: Exchange, body: Buffer): Promise<void> {
  const { incoming, answer, upstream, agent, fault, signal } = exchange;
  const got = await forward(incoming, body, upstream, agent);
  if (fault?.kind === 'lose-answer') {
    incoming.socket.resetAndDestroy();
    return;
  }
  answer.writeHead(got.status, got.headers);
  if (fault?.kind === 'slow') await writeSlowly(answer, got.body, fault, signal);
  else if (fault?.kind === 'cut' || fault?.kind === 'stall') await writePart(exchange, got.body, fault);
  else answer.end(got.body);
}

interface UpstreamAnswer {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer;
}

function forward(incoming: IncomingMessage, body: Buffer, upstream: URL, agent: Agent): Promise<UpstreamAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      agent,
      host: upstream.hostname,
      port: upstream.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      readAll(response).then(
        (bytes) => resolve({ status: response.statusCode ?? 502, headers: response.rawHeaders, body: bytes }),
        reject,
      );
    });
    outgoing.end(body);
  });
}

function answerStatus(answer: ServerResponse, fault: Extract<Fault, { kind: 'status' }>): void {
  const code = fault.code ?? 'ServiceUnavailable';
  const body = fault.body ?? `<?xml version="1.0"?><Error><Code>${code}</Code><Message>told to fail</Message></Error>`;
  answer.writeHead(fault.status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) });
  answer.end(body);
}

async function writePart(
  { incoming, answer }: Exchange,
  body: Buffer,
  fault: Extract<Fault, { kind: 'cut' | 'stall' }>,
): Promise<void> {
  answer.flushHeaders();
  await write(answer, body.subarray(0, Math.floor(body.length * fault.part)));
  if (fault.kind === 'cut') incoming.socket.destroy();
}

async function writeSlowly(
  answer: ServerResponse,
  body: Buffer,
  fault: Extract<Fault, { kind: 'slow' }>,
  signal: AbortSignal,
): Promise<void> {
  answer.flushHeaders();
  const size = Math.ceil(body.length / fault.pieces);
  for (let at = 0; at < body.length; at += size) {
    await delay(fault.pauseMs, undefined, { signal });
    await write(answer, body.subarray(at, at + size));
  }
  answer.end();
}

function write(answer: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    answer.write(bytes, (cause) => (cause ? reject(cause) : resolve()));
  });
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}
