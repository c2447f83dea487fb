/** A TCP proxy in front of a real server that cuts, freezes or refuses connections as told. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** Counted from the moment it is told, over all connections. */
export interface Cut {
  readonly direction: 'up' | 'down';
  /** So many bytes still pass. What comes after them is dropped, and the client's connection is cut. */
  readonly afterBytes: number;
}

export interface TcpProxy {
  readonly port: number;
  /** Connections taken so far. */
  readonly connections: number;
  /** Bytes passed so far. */
  readonly passed: { readonly up: number; readonly down: number };
  /** Once. Undefined takes it back. What already passed upwards the server does. */
  cut(cut: Cut | undefined): void;
  /** Nothing passes any more on the connections that there are, and they stay. */
  freeze(): void;
  /** New connections are cut as soon as they are made, so many of them. */
  refuse(count: number): void;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  frozen: boolean;
}

/** Starts on a free loopback port. */
export async function startTcpProxy(upstreamPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const passed = { up: 0, down: 0 };
  let connections = 0;
  let refusing = 0;
  let pending: { direction: 'up' | 'down'; left: number } | undefined;

  const relay = (pair: Pair, direction: 'up' | 'down', data: Buffer): void => {
    if (pair.frozen) return;
    const target = direction === 'up' ? pair.server : pair.client;
    if (pending?.direction === direction && data.length >= pending.left) {
      target.write(data.subarray(0, pending.left));
      pending = undefined;
      pair.frozen = true;
      pair.client.resetAndDestroy();
      // The server still reads what it was sent, and then the end.
      pair.server.end();
      return;
    }
    if (pending?.direction === direction) pending.left -= data.length;
    passed[direction] += data.length;
    target.write(data);
  };

  const server = createServer((client) => {
    connections += 1;
    client.setNoDelay(true);
    client.on('error', () => undefined);
    if (refusing > 0) {
      refusing -= 1;
      client.resetAndDestroy();
      return;
    }
    const pair: Pair = { client, server: connect(upstreamPort, '127.0.0.1').setNoDelay(true), frozen: false };
    pairs.add(pair);
    pair.server.on('error', () => client.destroy());
    client.on('data', (data: Buffer) => relay(pair, 'up', data));
    pair.server.on('data', (data: Buffer) => relay(pair, 'down', data));
    client.on('close', () => {
      pairs.delete(pair);
      if (!pair.frozen) pair.server.destroy();
    });
    pair.server.on('close', () => {
      if (!pair.frozen) client.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    passed,
    cut: (cut) => void (pending = cut === undefined ? undefined : { direction: cut.direction, left: cut.afterBytes }),
    freeze: () => {
      for (const pair of pairs) pair.frozen = true;
    },
    refuse: (count) => void (refusing = count),
    close: async () => {
      for (const { client, server: upstream } of pairs) {
        client.destroy();
        upstream.destroy();
      }
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
