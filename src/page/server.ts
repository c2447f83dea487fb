/** The page over HTTP: who may look, where the token is shown, and what is rendered from memory. It changes nothing. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { log } from '../observe/log.ts';
import { plainAddress } from '../observe/known-host.ts';
import { judgeAccess, isSame, type Access, type AccessRules } from './access.ts';
import { readAssets, type Assets } from './assets.ts';
import { WrongAttempts } from './attempts.ts';
import { healthOf, type Knowledge } from './facts.ts';
import type { Html } from './html.ts';
import { formOf, FRESH, HEADERS, HTML, isSecure, redirect, segmentsOf, send, sendHtml } from './http.ts';
import { ROUTES } from './links.ts';
import { renderPage } from './pages.ts';
import { cookieValue, isSession, sessionValue, setCookie } from './session.ts';
import { layout } from './views/layout.ts';
import { loginForm, refused } from './views/plain.ts';

export interface PageServerOptions {
  readonly rules: AccessRules;
  /** What is known now, for somebody who looks. */
  readonly look: (nowMs: number) => Knowledge;
  /** The same for programs that watch this one. */
  readonly glance: () => Knowledge;
}

const logger = log('page');

export function createPageServer(options: PageServerOptions): Server {
  const pages = new PageServer(options);
  const server = createServer({ requestTimeout: 15_000, headersTimeout: 10_000 }, (request, response) => {
    pages.answer(request, response).catch((error: unknown) => {
      logger.error({ err: error }, 'a request could not be answered');
      if (!response.headersSent) response.writeHead(500, HEADERS);
      response.end();
    });
  });
  server.maxConnections = 200;
  return server;
}

class PageServer {
  private readonly options: PageServerOptions;
  private readonly assets: Assets = readAssets();
  private readonly startedAtMs = Date.now();
  private readonly attempts = new WrongAttempts();
  /** Apart from those by the form: a program with an old token must not lock people out. */
  private readonly bearers = new WrongAttempts();

  constructor(options: PageServerOptions) {
    this.options = options;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '/' } = request;
    const [path = '/'] = url.split('?', 1);
    const access = this.judge(request);
    if (access.may === 'nothing') {
      this.sendPlain(response, access.status, 'Not here', refused('Not here', access.why));
      return;
    }
    if (this.guesses(request, response, access)) return;
    const posts = path === ROUTES.login || path === ROUTES.logout;
    const allowed = posts && this.options.rules.token !== undefined ? 'GET, HEAD, POST' : 'GET, HEAD';
    if (!allowed.split(', ').includes(method)) {
      response.setHeader('Allow', allowed);
      this.sendPlain(response, 405, 'Only reading', refused('Only reading', 'This page only reads: GET and HEAD.'));
      return;
    }
    if (method === 'POST') await this.post(path, request, response);
    else this.get(path, access, request, response);
  }

  private get(path: string, access: Access, request: IncomingMessage, response: ServerResponse): void {
    const asset = Object.values(this.assets).find((one) => one.url === path);
    if (asset !== undefined) {
      const headers = { 'Content-Type': asset.type, 'Cache-Control': 'public, max-age=31536000, immutable' };
      send(request, response, 200, headers, asset.bytes);
    } else if (path === ROUTES.health) this.health(request, response);
    else if (access.may === 'log in') this.askToken(response, request);
    else if (path === ROUTES.login) redirect(response, ROUTES.overview);
    else this.page(path, access, request, response);
  }

  /** Programs learn whether this one is at work, and nothing else: it is told without a token. */
  private health(request: IncomingMessage, response: ServerResponse): void {
    const health = healthOf(this.options.glance(), this.startedAtMs, Date.now());
    const body = Buffer.from(`${JSON.stringify(health)}\n`);
    send(request, response, health.status === 'ok' ? 200 : 503, { 'Content-Type': 'application/json', ...FRESH }, body);
  }

  private page(path: string, access: Access, request: IncomingMessage, response: ServerResponse): void {
    const nowMs = Date.now();
    const refresh = Number(new URLSearchParams(request.url?.split('?')[1]).get('refresh') ?? '');
    const { status, page } = renderPage(segmentsOf(path), path, this.options.look(nowMs), {
      assets: this.urls(),
      nowMs,
      user: access.may === 'look' ? access.as : undefined,
      session: this.hasSession(request),
      refreshSeconds: Number.isInteger(refresh) && refresh >= 2 && refresh <= 3600 ? refresh : undefined,
    });
    sendHtml(request, response, status, page);
  }

  private async post(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { token } = this.options.rules;
    const origin = request.headers['sec-fetch-site'] ?? 'same-origin';
    if (token === undefined || (origin !== 'same-origin' && origin !== 'none')) {
      this.sendPlain(response, 403, 'Not from there', refused('Not from there', 'Log in on the page itself.'));
      return;
    }
    if (path === ROUTES.logout) {
      response.setHeader('Set-Cookie', setCookie('', isSecure(request)));
      redirect(response, ROUTES.login);
      return;
    }
    const nowMs = Date.now();
    const from = plainAddress(request.socket.remoteAddress);
    if (this.isPaused(response, this.attempts.waitMs(from, nowMs))) return;
    const given = (await formOf(request)).get('token') ?? '';
    if (!isSame(given.trim(), token)) {
      this.attempts.add(from, nowMs);
      logger.warn({ from }, 'a wrong token');
      this.sendPlain(response, 401, 'Log in', loginForm('That is not the token.'));
      return;
    }
    response.setHeader('Set-Cookie', setCookie(sessionValue(token, nowMs), isSecure(request)));
    redirect(response, ROUTES.overview);
  }

  /** Answers who has shown too many wrong tokens in the header, whatever is shown now; counts another one. */
  private guesses({ headers, socket }: IncomingMessage, response: ServerResponse, access: Access): boolean {
    if (this.options.rules.token === undefined || !/^Bearer /i.test(headers.authorization ?? '')) return false;
    const nowMs = Date.now();
    const from = plainAddress(socket.remoteAddress);
    if (this.isPaused(response, this.bearers.waitMs(from, nowMs))) return true;
    if (access.may === 'log in') this.bearers.add(from, nowMs);
    return false;
  }

  private isPaused(response: ServerResponse, waitMs: number): boolean {
    if (waitMs <= 0) return false;
    response.setHeader('Retry-After', String(Math.ceil(waitMs / 1000)));
    this.sendPlain(response, 429, 'Log in', loginForm('Too many wrong tokens. Wait a minute.'));
    return true;
  }

  private askToken(response: ServerResponse, request: IncomingMessage): void {
    response.setHeader('WWW-Authenticate', 'Bearer');
    const wrong = request.headers.authorization !== undefined;
    this.sendPlain(response, 401, 'Log in', loginForm(wrong ? 'That is not the token.' : undefined));
  }

  private judge(request: IncomingMessage): Access {
    const { headers, socket } = request;
    const { rules } = this.options;
    const user = rules.proxy === undefined ? undefined : headers[rules.proxy.header.toLowerCase()];
    return judgeAccess(rules, {
      host: headers.host,
      localAddress: socket.localAddress,
      remoteAddress: socket.remoteAddress,
      authorization: headers.authorization,
      session: this.hasSession(request),
      user: Array.isArray(user) ? user[0] : user,
    });
  }

  private hasSession(request: IncomingMessage): boolean {
    const { token } = this.options.rules;
    return token !== undefined && isSession(token, cookieValue(request.headers.cookie), Date.now());
  }

  private urls() {
    const { css, js, icon } = this.assets;
    return { css: css.url, js: js.url, icon: icon.url };
  }

  private sendPlain(response: ServerResponse, status: number, title: string, main: Html): void {
    const page = layout({ title: `${title} · Holdfast`, path: '', assets: this.urls(), nowMs: Date.now() }, main);
    const headers = { ...HTML, ...FRESH, Connection: 'close' };
    send({ method: 'GET' }, response, status, headers, Buffer.from(page.text));
  }
}
