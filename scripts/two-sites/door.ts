/** The engine of a machine, as a client outside of its network meets it: the loopback of that machine, by a Unix socket. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NAMESPACE } from '../../src/engine/server.ts';
import { endChild, ENDS_WITH_US } from './children.ts';
import type { Machine } from './network.ts';

export class Door {
  /** Connects when it is first used, and again whenever the engine has come back. */
  readonly client: Client;
  private readonly server: Server;
  private readonly child: ChildProcess;

  private constructor(given: { client: Client; server: Server; child: ChildProcess }) {
    this.client = given.client;
    this.server = given.server;
    this.child = given.child;
  }

  /** It stays when the machine loses its power: there is nothing behind it then. */
  static async open(machine: Machine, port: number, directory: string): Promise<Door> {
    const socket = path.join(directory, `door-${machine.name}.sock`);
    const script = path.join(import.meta.dirname, 'door-child.ts');
    const [program, ...args] = [...ENDS_WITH_US, ...machine.within, process.execPath, script, socket, String(port)];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const server = createServer((from) => {
      const to = connect(socket);
      from.on('error', () => to.destroy());
      to.on('error', () => from.destroy());
      from.once('close', () => to.destroy());
      to.once('close', () => from.destroy());
      from.pipe(to);
      to.pipe(from);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const connection = Connection.lazy({
      address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      // Who asks asks again; a retry of the client's own would come after it was closed.
      interceptors: [],
      // An engine that was away is asked again at once: the defaults are up to two minutes.
      channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 500 },
    });
    return new Door({ client: new Client({ connection, namespace: NAMESPACE }), server, child });
  }

  async close(): Promise<void> {
    await this.client.connection.close();
    await endChild(this.child);
    await new Promise((resolve) => this.server.close(resolve));
  }
}
