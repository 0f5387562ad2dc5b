export const VERSION = import.meta.env.VITE_VERSION;
