/** A small proxy on loopback: forwards plain requests and tunnels by CONNECT, all of them to one receiver. */
import { createServer, request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

export interface HttpProxy extends AsyncDisposable {
  readonly url: string;
  /** `POST http://host/path` or `CONNECT host:port`, in order. */
  readonly asked: string[];
  /** What it answers instead of going on; undefined: it goes on. */
  refuseWith: number | undefined;
}

/** Whatever is asked for, `port` of this machine answers: the names of the tests exist nowhere. */
export async function startHttpProxy(port: () => number): Promise<HttpProxy> {
  const asked: string[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
    if (proxy.refuseWith !== undefined) {
      incoming.resume();
      outgoing.writeHead(proxy.refuseWith).end();
      return;
    }
    const { pathname } = new URL(incoming.url ?? '');
    const { method, headers } = incoming;
    const onwards = request({ host: '127.0.0.1', port: port(), method, path: pathname, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onwards.on('error', () => outgoing.destroy());
    incoming.pipe(onwards);
  });
  server.on('connect', (incoming, socket) => {
    asked.push(`CONNECT ${incoming.url ?? ''}`);
    socket.on('error', () => undefined);
    if (proxy.refuseWith !== undefined) {
      socket.end(`HTTP/1.1 ${proxy.refuseWith} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const onwards = connect(port(), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onwards).pipe(socket);
    });
    onwards.on('error', () => socket.destroy());
    socket.once('close', () => onwards.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const proxy: HttpProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    refuseWith: undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
