/** The system file of a sample stack, as `examples/m2m-connector/m2m-connector.yaml` describes the real one. `init` adds the keys. */
import { stringify } from 'yaml';
import type { SampleStack } from './stack.ts';

export interface SystemFileOptions {
  readonly storePath: string;
  /** Default `m2m-connector`. */
  readonly system?: string;
  readonly freezeBudget?: string;
  /** How long the stack may take to be healthy after a restore. */
  readonly healthTimeout?: string;
  readonly host?: string;
}

/** For the stack in Docker: ledger volume, wallet databases, seed, configuration, monitoring, and the Compose project. */
export function sampleSystemFile(
  stack: Pick<SampleStack, 'project' | 'directory' | 'volume' | 'image' | 'walletDirectory' | 'ledgerFile'>,
  options: SystemFileOptions,
): string {
  const budget = options.freezeBudget ?? '30s';
  const daily = ['ledger', 'wallet', 'audit-log', 'seed', 'config', 'stack'];
  return write({
    system: options.system ?? 'm2m-connector',
    ...(options.host === undefined ? {} : { hosts: [options.host] }),
    stores: { vault: { kind: 'directory', path: options.storePath } },
    components: {
      ledger: {
        kind: 'volume',
        tier: 'critical',
        volume: stack.volume,
        quiesce: { mode: 'pause', budget },
        check: { kind: 'ledger', file: stack.ledgerFile, image: stack.image },
      },
      ...walletComponents(stack.walletDirectory, ['connector']),
      config: {
        kind: 'files',
        path: stack.directory,
        include: ['.env', 'docker-compose.yml', 'peers/**'],
      },
      monitoring: { kind: 'files', tier: 'reference', path: `${stack.directory}/monitoring` },
      stack: {
        kind: 'compose',
        project: stack.project,
        directory: stack.directory,
        files: ['docker-compose.yml'],
        healthTimeout: options.healthTimeout ?? '120s',
        after: ['ledger', 'wallet', 'audit-log', 'config'],
      },
    },
    compose: 'stack',
    checks: {
      health: {
        http: {
          url: 'http://connector:8080/health',
          json: { status: 'healthy', 'dependencies.tigerbeetle.status': 'up' },
        },
        service: 'connector',
        within: '120s',
      },
      wallets: { sql: { component: 'wallet', query: 'select count(*) from agent_wallets', atLeast: 1 } },
    },
    reconcile: {
      // What every wallet of the sample is made with: a truth that the stack itself can't change.
      wallets: {
        sql: { component: 'wallet', query: "select 'wallets', 50, count(*) from agent_wallets having count(*) <> 50" },
      },
    },
    objectives: { rto: '4h', tiers: { critical: '1h' } },
    plans: {
      hourly: { components: ['ledger'], stores: ['vault'], keep: { hourly: 48 }, rpo: '1h' },
      daily: {
        components: daily,
        stores: ['vault'],
        keep: { daily: 30 },
        rpo: '1d',
      },
      weekly: {
        components: daily,
        stores: ['vault'],
        quiesce: { mode: 'stop', budget: '120s' },
        keep: { weekly: 12 },
      },
      monitoring: { components: ['monitoring'], stores: ['vault'], keep: { weekly: 12 }, rpo: '7d' },
    },
  });
}

/** The same list twice is written twice, as a person would. */
function write(file: object): string {
  return stringify(file, { aliasDuplicateObjects: false });
}

function walletComponents(directory: string, usedBy: readonly string[]): Record<string, unknown> {
  return {
    wallet: {
      kind: 'sqlite',
      tier: 'critical',
      path: `${directory}/agent-wallets.db`,
      requiredTables: ['agent_wallets'],
      usedBy: [...usedBy],
    },
    'audit-log': {
      kind: 'sqlite',
      path: `${directory}/audit-log.db`,
      requiredTables: ['audit_log'],
      usedBy: [...usedBy],
    },
    seed: { kind: 'files', tier: 'critical', path: `${directory}/master-seed.enc` },
  };
}

/** For a machine without Docker: the ledger's file as a tree, the wallet databases, the configuration. */
export function filesSystemFile(
  place: { readonly directory: string; readonly ledgerDirectory: string; readonly walletDirectory: string },
  options: SystemFileOptions,
): string {
  return write({
    system: options.system ?? 'm2m-connector',
    stores: { vault: { kind: 'directory', path: options.storePath } },
    components: {
      ledger: { kind: 'files', tier: 'critical', path: place.ledgerDirectory },
      ...walletComponents(place.walletDirectory, []),
      config: { kind: 'files', path: place.directory, include: ['.env', 'peers/**'] },
    },
    plans: {
      daily: {
        components: ['ledger', 'wallet', 'audit-log', 'seed', 'config'],
        stores: ['vault'],
        keep: { daily: 30 },
        rpo: '1d',
      },
    },
  });
}
