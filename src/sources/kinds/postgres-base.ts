/** PostgreSQL by the method `base`: the whole cluster, and with its write-ahead log any point in time. */
import type { PostgresBaseComponent } from '../../system/types.ts';
import { captureCluster, checkCluster } from '../cluster/backup.ts';
import { inspectCluster } from '../cluster/inspect.ts';
import { proveCluster } from '../cluster/prove.ts';
import { restoreCluster } from '../cluster/restore.ts';
import { commitCluster, discardCluster, reopenCluster, swapClusterBack, swapClusterIn } from '../cluster/swap.ts';
import type { ComponentKind } from './component.ts';

export const postgresBaseKind: ComponentKind<PostgresBaseComponent> = {
  kind: 'postgres',
  capture: captureCluster,
  checkCaptured: checkCluster,
  inspect: inspectCluster,
  restoreBeside: restoreCluster,
  checkBeside: proveCluster,
  swapIn: swapClusterIn,
  swapBack: swapClusterBack,
  reopen: reopenCluster,
  commit: commitCluster,
  discard: discardCluster,
};
