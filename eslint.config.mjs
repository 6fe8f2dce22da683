import effectPlugin from "@effect/eslint-plugin"
import js from "@eslint/js"
import importX from "eslint-plugin-import-x"
import tseslint from "typescript-eslint"

export default tseslint.config(
  { ignores: [".cache/**", "dist/**", "node_modules/**", "coverage/**", "**/.causeway/**"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ["**/*.ts", "**/*.mjs"],
    plugins: { "@effect": effectPlugin, "import-x": importX },
    rules: {
      "@effect/dprint": ["error", {
        config: {
          indentWidth: 2,
          lineWidth: 120,
          semiColons: "asi",
          quoteStyle: "alwaysDouble",
          trailingCommas: "never",
          operatorPosition: "maintain",
          "arrowFunction.useParentheses": "force"
        }
      }],
      "@effect/no-import-from-barrel-package": ["error", {
        packageNames: ["effect", "@effect/platform", "@effect/platform-node", "@effect/sql"]
      }],
      "import-x/no-default-export": "error",
      "import-x/no-duplicates": "error",
      "object-shorthand": "error",
      "no-console": "error",
      "require-yield": "off",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/no-unused-vars": ["error", {
        argsIgnorePattern: "^_",
        varsIgnorePattern: "^_",
        destructuredArrayIgnorePattern: "^_"
      }],
      "@typescript-eslint/no-empty-object-type": "off",
      "@typescript-eslint/no-invalid-void-type": "off",
      "@typescript-eslint/unified-signatures": "off",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/array-type": ["error", { default: "generic", readonly: "generic" }]
    }
  },
  {
    files: ["examples/**", "test/bench/**", "test/docs/**", "*.mjs", "*.config.ts", "test/setup.ts"],
    rules: { "import-x/no-default-export": "off", "no-console": "off" }
  },
  {
    files: ["test/types/**"],
    rules: { "@typescript-eslint/no-unused-vars": "off" }
  },
  {
    files: ["src/**"],
    rules: {
      "no-restricted-properties": ["error", {
        object: "process",
        property: "env",
        message: "Read settings through Config."
      }]
    }
  }
)
