/** A PostgreSQL server with Holdfast beside it: what the database scenarios play on. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import type { Up } from '../../sample/stack/holdfast.ts';
import { startPostgres, SUPERUSER_PASSWORD } from '../support/postgres.ts';
import type { PostgresOptions, PostgresServer } from '../support/postgres.ts';

export const LIMIT_MS = 180_000;

export class PostgresSite {
  readonly directory: string;
  readonly server: PostgresServer;
  readonly holdfast: Holdfast;
  readonly system: string;
  private running: Up | undefined;

  private constructor(directory: string, server: PostgresServer, system: string) {
    this.directory = directory;
    this.server = server;
    this.system = system;
    this.holdfast = new Holdfast(join(directory, 'home'));
  }

  /**
   * A server that asks for passwords, a system with keys and a vault, and `holdfast up`. `components` are given the
   * `server` part of a component; a store named `disk` and a plan `all` over all of them are there.
   */
  static async open(
    system: string,
    components: (server: object, site: PostgresSite) => Readonly<Record<string, object>>,
    options: PostgresOptions = {},
  ): Promise<PostgresSite> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-scenario-'));
    // Servers are started on what is restored below it, and theirs is another account.
    await chmod(directory, 0o755);
    const server = await startPostgres({ passwords: true, ...options });
    const site = new PostgresSite(directory, server, system);
    try {
      const password = join(directory, 'password');
      await writeFile(password, SUPERUSER_PASSWORD, { mode: 0o600 });
      for (const each of [site.holdfast.home, join(directory, 'store')]) await mkdir(each);
      const { host, port, user } = server.connection();
      const named = components({ address: host, port, backup: { user, password: { file: password } } }, site);
      const file = join(directory, `${system}.yaml`);
      const stores = { disk: { kind: 'directory', path: join(directory, 'store') } };
      const plans = { all: { components: Object.keys(named), stores: ['disk'] } };
      await writeFile(file, stringify({ system, stores, components: named, plans }));
      const init = await site.holdfast.run('init', file);
      if (init.code !== 0) throw new Error(`holdfast init: ${init.stderr}`);
      site.running = await site.holdfast.up('--no-ui', '--no-page', '--port', '0');
      return site;
    } catch (error) {
      await site.close();
      throw error;
    }
  }

  get up(): Up {
    if (this.running === undefined) throw new Error('the engine does not run');
    return this.running;
  }

  async close(): Promise<void> {
    try {
      await this.running?.stop();
    } finally {
      await this.server.dispose();
      await rm(this.directory, { recursive: true, force: true });
    }
  }
}
