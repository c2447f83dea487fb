/** PostgreSQL by the method `dump`. */
import { HoldfastError } from '../../failures.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import type { ComponentKind } from './component.ts';

function notYet(): Promise<never> {
  return Promise.reject(new HoldfastError('BadInput', 'PostgreSQL by the method `dump` is not there yet'));
}

export const postgresDumpKind: ComponentKind<PostgresDumpComponent> = {
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
