/** One request by the web's rules of this machine: through its proxy where one is named; nothing is followed or kept. */
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';

export interface HttpRequest {
  readonly method: 'POST' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Its reason is what is thrown. */
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/**
 * `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured as Node's built-in proxy support reads them (also in lower case,
 * which wins; `https` is tunnelled by CONNECT, so that the proxy sees a host's name and no more). This machine itself is
 * never asked for through a proxy, for which it would be another machine. Rejects with the errors of Node, whose
 * messages may hold the address: only their `code` may be told.
 */
export async function httpAsk(url: URL, { method, headers, body = '', signal }: HttpRequest): Promise<HttpAnswer> {
  signal.throwIfAborted();
  const { request, Agent } = url.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: false, ...(isThisMachine(url.hostname) ? {} : { proxyEnv: process.env }) });
  try {
    return await new Promise<HttpAnswer>((resolve, reject) => {
      const length = method === 'POST' ? { 'content-length': Buffer.byteLength(body) } : {};
      const all = { 'user-agent': 'holdfast', accept: '*/*', ...headers, ...length };
      const asked = request(url, { method, agent, headers: all, signal });
      asked.once('response', (answer) => {
        // Its words are nobody's, and may never end.
        answer.destroy();
        resolve({ status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'] });
      });
      asked.on('error', reject);
      asked.end(body);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    agent.destroy();
  }
}

/** Of an error of the network or of TLS, the code, which names nobody: its own, or that of the first cause that has one. */
export function networkCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string') return code;
  }
  return undefined;
}

function isThisMachine(hostname: string): boolean {
  const host = hostname.replaceAll(/^\[|\]$/g, '').toLowerCase();
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === 'localhost' || host.endsWith('.localhost');
}
