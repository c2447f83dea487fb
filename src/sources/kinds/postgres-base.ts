/** PostgreSQL by the method `base`: the whole cluster. */
import { HoldfastError } from '../../failures.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import { captureCluster, checkCluster } from '../cluster/backup.ts';
import { inspectCluster } from '../cluster/inspect.ts';
import type { ComponentKind } from './component.ts';

function notYet(): Promise<never> {
  return Promise.reject(new HoldfastError('BadInput', 'PostgreSQL by the method `base` is not there yet'));
}

export const postgresBaseKind: ComponentKind<PostgresBaseComponent> = {
  kind: 'postgres',
  capture: captureCluster,
  checkCaptured: checkCluster,
  inspect: inspectCluster,
  restoreBeside: notYet,
  checkBeside: notYet,
  swapIn: notYet,
  swapBack: notYet,
  commit: notYet,
  discard: notYet,
};
