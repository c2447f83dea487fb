export { holdfastHome, localHost } from './home.ts';
export { listSystems, loadSystem, loadSystemFile, registerSystem, type RegisteredSystem } from './load.ts';
export { describeSecret, resolveSecret } from './secrets.ts';
export type * from './types.ts';
