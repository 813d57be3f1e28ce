export { type Addon, addons, systemNamespaces } from './addons.js';
export { BootstrapFailed, bootstrap } from './bootstrap.js';
export { type Master, startMaster } from './master.js';
