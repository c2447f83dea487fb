/** PostgreSQL by the method `base`. */
import { HoldfastError } from '../../failures.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { ComponentKind } from './component.ts';

function notYet(): Promise<never> {
  return Promise.reject(new HoldfastError('BadInput', 'PostgreSQL by the method `base` is not there yet'));
}

export const postgresBaseKind: ComponentKind<PostgresBaseComponent> = {
  kind: 'postgres',
  capture: notYet,
  inspect: notYet,
  restoreBeside: notYet,
  checkBeside: notYet,
  swapIn: notYet,
  swapBack: notYet,
  commit: notYet,
  discard: notYet,
};
