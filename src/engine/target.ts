/** Which Temporal server this process talks to: the one that TEMPORAL_* names, else the engine of this machine. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import { HoldfastError } from '../failures.ts';
import { isAlive } from './process.ts';
import { NAMESPACE } from './server.ts';
import { readEngineRecord } from './state.ts';

export interface EngineTarget {
  /** Fit for Connection.connect and NativeConnection.connect. */
  readonly connectionOptions: ClientConnectConfig['connectionOptions'];
  readonly namespace: string;
  readonly address: string;
  /** Where the address comes from. */
  readonly from: 'TEMPORAL_*' | 'this machine' | 'configuration file';
  readonly uiUrl?: string;
  readonly pageUrl?: string;
}

const NAMING_VARIABLES = ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'];

function configured(from: EngineTarget['from']): EngineTarget {
  let config: ClientConnectConfig;
  try {
    config = loadClientConnectConfig();
  } catch (cause) {
    throw new HoldfastError('BadInput', `the Temporal configuration can't be read: ${String(cause)}`, { cause });
  }
  const { connectionOptions, namespace } = config;
  const address = connectionOptions.address ?? 'localhost:7233';
  return { connectionOptions: { ...connectionOptions, address }, namespace: namespace ?? NAMESPACE, address, from };
}

function hasConfigurationFile(): boolean {
  const base = process.env['XDG_CONFIG_HOME'] ?? path.join(homedir(), '.config');
  return existsSync(path.join(base, 'temporalio', 'temporal.toml'));
}

/** True when the operator has named a server, so that none is to be started here. */
export function isServerNamed(environment: NodeJS.ProcessEnv = process.env): boolean {
  return NAMING_VARIABLES.some((name) => (environment[name] ?? '') !== '');
}

/**
 * The order is: TEMPORAL_* variables, the engine that runs on this machine, Temporal's configuration file. Throws
 * EngineUnreachable when there is none of them, without asking the network.
 */
export function engineTarget(): EngineTarget {
  if (isServerNamed()) return configured('TEMPORAL_*');
  const record = readEngineRecord();
  if (record !== undefined && isAlive(record.owner)) {
    return {
      connectionOptions: { address: record.address },
      namespace: NAMESPACE,
      address: record.address,
      from: 'this machine',
      ...(record.uiUrl === undefined ? {} : { uiUrl: record.uiUrl }),
      ...(record.pageUrl === undefined ? {} : { pageUrl: record.pageUrl }),
    };
  }
  if (hasConfigurationFile()) return configured('configuration file');
  throw new HoldfastError('EngineUnreachable', 'no engine runs on this machine, and TEMPORAL_ADDRESS names no other');
}
