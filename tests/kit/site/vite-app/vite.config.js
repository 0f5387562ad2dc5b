import { defineConfig } from "vite";

// Without a threshold for inlining, the lazy route's picture is a hashed file of its own.
export default defineConfig({ build: { assetsInlineLimit: 0, manifest: true } });
