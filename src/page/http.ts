/** What is sent over HTTP whatever the page is, and what is read of a request. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Html } from './html.ts';

const FORM_LIMIT_BYTES = 4096;
/** Of every answer. */
export const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
} as const;
export const HTML = { 'Content-Type': 'text/html; charset=utf-8' } as const;
/** Kept by nobody. */
export const FRESH = { 'Cache-Control': 'no-store' } as const;

/** Not sent again to whoever has it. */
export function sendHtml(request: IncomingMessage, response: ServerResponse, status: number, page: Html): void {
  const body = Buffer.from(page.text);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const headers = { ...HTML, 'Cache-Control': 'no-cache, private', ETag: etag };
  if (status === 200 && request.headers['if-none-match'] === etag) {
    response.writeHead(304, { ...HEADERS, ...headers });
    response.end();
  } else send(request, response, status, headers, body);
}

/** The head alone to whoever asks for it. */
export function send(
  { method }: Pick<IncomingMessage, 'method'>,
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): void {
  response.writeHead(status, { ...HEADERS, ...headers, 'Content-Length': body.length });
  response.end(method === 'HEAD' ? undefined : body);
}

export function redirect(response: ServerResponse, to: string): void {
  response.writeHead(303, { ...HEADERS, ...FRESH, Location: to });
  response.end();
}

/** By the word of a proxy; it only ever makes the cookie stricter. */
export function isSecure(request: IncomingMessage): boolean {
  return request.headers['x-forwarded-proto'] === 'https';
}

/** Empty ones, and what can't be decoded, lead to a page that is not there. */
export function segmentsOf(path: string): string[] {
  return path
    .split('/')
    .slice(1, path === '/' ? 1 : undefined)
    .map((segment) => {
      try {
        return decodeURIComponent(segment);
      } catch {
        return '';
      }
    });
}

/** Empty when it is longer than any form of this page. */
export async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > FORM_LIMIT_BYTES) return new URLSearchParams();
    pieces.push(piece);
  }
  return new URLSearchParams(Buffer.concat(pieces).toString('utf8'));
}
