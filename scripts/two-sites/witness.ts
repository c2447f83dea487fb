/** A server of this machine, as a port of another: what is outside both sites, and can be away. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { endChild, ENDS_WITH_US } from './children.ts';
import type { Machine } from './network.ts';

export class Relay {
  readonly url: string;
  private readonly server: Server;
  private readonly child: ChildProcess;
  private readonly sockets = new Set<Socket>();
  private isAway = false;

  private upstream: number;

  private constructor(given: { url: string; server: Server; child: ChildProcess; upstream: number }) {
    this.url = given.url;
    this.server = given.server;
    this.child = given.child;
    this.upstream = given.upstream;
    this.server.on('connection', (from) => this.pass(from));
  }

  static async open(machine: Machine, port: number, upstream: number, directory: string): Promise<Relay> {
    const socket = path.join(directory, `relay-${port}.sock`);
    const server = createServer();
    server.listen(socket);
    await once(server, 'listening');
    const script = path.join(import.meta.dirname, 'relay-child.ts');
    const command = [...ENDS_WITH_US, ...machine.within, process.execPath, script, String(port), socket];
    const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    return new Relay({ url: `http://${machine.address}:${port}`, server, child, upstream });
  }

  /** Connections are taken, and nothing is ever answered. */
  away(isAway: boolean): void {
    if (this.isAway === isAway) return;
    this.isAway = isAway;
    for (const socket of this.sockets) socket.destroy();
  }

  /** To another server from now on; what is under way is ended. */
  lead(upstream: number): void {
    if (this.upstream === upstream) return;
    this.upstream = upstream;
    for (const socket of this.sockets) socket.destroy();
  }

  private pass(from: Socket): void {
    this.sockets.add(from);
    from.once('close', () => this.sockets.delete(from));
    from.on('error', () => undefined);
    if (this.isAway) return;
    const to = connect(this.upstream, '127.0.0.1');
    to.on('error', () => from.destroy());
    from.once('close', () => to.destroy());
    from.pipe(to);
    to.pipe(from);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    await endChild(this.child);
  }
}
