export { holdfastHome, localHost } from './home.ts';
export { listSystems, loadSystem, loadSystemFile, registerSystem, type RegisteredSystem } from './load.ts';
export {
  knownSystems,
  loadEverKnownSystem,
  loadKnownSystem,
  type FileFault,
  type KnownSystem,
  type Registered,
} from './last-good.ts';
export { describeSecret, resolveSecret } from './secrets.ts';
export type * from './types.ts';
