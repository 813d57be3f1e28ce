export { type Bootstrap, readBootstrap } from './bootstrap.js';
export { LeveledLogger } from './leveled-logger.js';
export { Proxy, type ProxyPorts } from './proxy.js';
