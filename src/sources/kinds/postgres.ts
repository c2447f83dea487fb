/** A PostgreSQL server: its databases one by one (`dump`), or the whole cluster (`base`). */
import type { PostgresBaseComponent, PostgresComponent, PostgresDumpComponent } from '../../system/types.ts';
import type { ComponentKind } from './component.ts';
import { postgresBaseKind } from './postgres-base.ts';
import { postgresDumpKind } from './postgres-dump.ts';

function by<R>(
  component: PostgresComponent,
  dump: (kind: ComponentKind<PostgresDumpComponent>, component: PostgresDumpComponent) => R,
  base: (kind: ComponentKind<PostgresBaseComponent>, component: PostgresBaseComponent) => R,
): R {
  return component.method === 'dump' ? dump(postgresDumpKind, component) : base(postgresBaseKind, component);
}

const NOTHING_TO_CHECK = { ok: true, checks: [] };

export const postgresKind: ComponentKind<PostgresComponent> = {
  kind: 'postgres',
  capture: (component, ...rest) =>
    by(
      component,
      (kind, one) => kind.capture(one, ...rest),
      (kind, one) => kind.capture(one, ...rest),
    ),
  checkCaptured: (component, ...rest) =>
    by(
      component,
      async (kind, one) => (await kind.checkCaptured?.(one, ...rest)) ?? NOTHING_TO_CHECK,
      async (kind, one) => (await kind.checkCaptured?.(one, ...rest)) ?? NOTHING_TO_CHECK,
    ),
  inspect: (component, ...rest) =>
    by(
      component,
      (kind, one) => kind.inspect(one, ...rest),
      (kind, one) => kind.inspect(one, ...rest),
    ),
  restoreBeside: (component, ...rest) =>
    by(
      component,
      (kind, one) => kind.restoreBeside(one, ...rest),
      (kind, one) => kind.restoreBeside(one, ...rest),
    ),
  checkBeside: (component, ...rest) =>
    by(
      component,
      (kind, one) => kind.checkBeside(one, ...rest),
      (kind, one) => kind.checkBeside(one, ...rest),
    ),
  swapIn: (component, ...rest) =>
    by(
      component,
      (kind, one) => kind.swapIn(one, ...rest),
      (kind, one) => kind.swapIn(one, ...rest),
    ),
  swapBack: (component, ...rest) =>
    by(
      component,
      (kind, one) => kind.swapBack(one, ...rest),
      (kind, one) => kind.swapBack(one, ...rest),
    ),
  reopen: (component, ...rest) =>
    by(
      component,
      async (kind, one) => kind.reopen?.(one, ...rest),
      async (kind, one) => kind.reopen?.(one, ...rest),
    ),
  commit: (component, ...rest) =>
    by(
      component,
      (kind, one) => kind.commit(one, ...rest),
      (kind, one) => kind.commit(one, ...rest),
    ),
  discard: (component, ...rest) =>
    by(
      component,
      (kind, one) => kind.discard(one, ...rest),
      (kind, one) => kind.discard(one, ...rest),
    ),
};
