/** A receiver of messages over HTTP: keeps what comes, and answers, hangs or breaks off as told. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly atMs: number;
}

export type Reply = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | 'hang' | 'reset';

export class NoticeReceiver implements AsyncDisposable {
  readonly received: Received[] = [];
  /** Answers in order; then 204. */
  replies: Reply[] = [];
  private readonly server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const { url = '', headers } = incoming;
      this.received.push({ path: url, headers, body: Buffer.concat(parts).toString('utf8'), atMs: Date.now() });
      const reply = this.replies.shift() ?? { status: 204 };
      if (reply === 'hang') return;
      if (reply === 'reset') incoming.socket.resetAndDestroy();
      else outgoing.writeHead(reply.status, reply.headers).end();
    });
  });

  static async start(): Promise<NoticeReceiver> {
    const receiver = new NoticeReceiver();
    await new Promise<void>((resolve, reject) => {
      receiver.server.once('error', reject);
      receiver.server.listen(0, '127.0.0.1', resolve);
    });
    return receiver;
  }

  /** With a path that must not appear anywhere. */
  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
