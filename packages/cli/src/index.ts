export { type ClusterFile, defaultPorts, type Ports } from './cluster.js';
export { clusterPaths, defaultName, flotillaHome } from './home.js';
