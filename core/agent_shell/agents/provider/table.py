"""The table of the providers: their names, keys, servers and libraries. Loads none of them.

`PROVIDER:MODEL` names a model. The model's name is the provider's own, and may hold colons.
"""

from __future__ import annotations

import difflib
import importlib.util

from agent_shell.errors import UnknownModel
from agent_shell.records import frozen

__all__ = ["PROVIDERS", "ModelName", "Provider", "find_provider", "parse"]


@frozen
class Provider:
    """Whose model it is, and what that takes.

    `keys` are the environment variables that may hold its key, the first one that is set
    counts; of `needs`, all must be set as well. `account` is the name that its key has in
    the keyring: providers that share one share the key. `module` is the library that must be
    installed, by `extra` where that is no part of every installation. `url` is where its
    server is if neither the configuration nor `url_variable` says; "" leaves that to the
    library. A `local` one runs on the user's own machine or network and may have no key.
    """

    name: str
    title: str
    account: str
    keys: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    module: str = "openai"
    extra: str = ""
    url_variable: str = ""
    url: str = ""
    local: bool = False
    sign_in: str = ""  # what to do where it takes no key

    @property
    def installed(self) -> bool:
        """Whether its library is there; it is looked for, not loaded."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:  # The package that it is in is not there either.
            return False

    @property
    def pip_line(self) -> str:
        """What installs its library."""
        return f"pip install 'agent-shell[{self.extra}]'" if self.extra else "pip install openai"


@frozen
class ModelName:
    """A model by its provider, and by the name that the provider gave it."""

    provider: Provider
    model: str

    def __str__(self) -> str:
        """As it is typed: `PROVIDER:MODEL`."""
        return f"{self.provider.name}:{self.model}"


def _openai_like(name: str, title: str, *keys: str) -> Provider:
    """A service with the interface of OpenAI, and a library that everybody has."""
    return Provider(name, title, account=name, keys=keys)


def _local(name: str, title: str, variable: str, url: str) -> Provider:
    """A server of the user's own, with the interface of OpenAI."""
    return Provider(
        name,
        title,
        account=name,
        keys=(f"{variable}_API_KEY",),
        url_variable=f"{variable}_BASE_URL",
        url=url,
        local=True,
    )


_OPENAI = ("OPENAI_API_KEY",)
_GOOGLE = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
_AZURE = (("AZURE_OPENAI_API_KEY",), ("AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"))
_AWS = "sign in as for the AWS command line (aws configure), and set AWS_DEFAULT_REGION"
_GATEWAY = ("PYDANTIC_AI_GATEWAY_API_KEY", "PAIG_API_KEY")


def _gateway(upstream: str, module: str = "openai", extra: str = "") -> Provider:
    title = f"{upstream} by the Pydantic AI Gateway"
    return Provider(f"gateway/{upstream}", title, "gateway", _GATEWAY, module=module, extra=extra)


_ALL = (
    Provider("anthropic", "Anthropic", "anthropic", ("ANTHROPIC_API_KEY",), module="anthropic"),
    Provider("openai", "OpenAI", "openai", _OPENAI),
    Provider("openai-chat", "OpenAI (chat completions)", "openai", _OPENAI),
    Provider("openai-responses", "OpenAI (responses)", "openai", _OPENAI),
    Provider("google", "Google Gemini", "google", _GOOGLE, module="google.genai", extra="google"),
    _local("ollama", "Ollama", "OLLAMA", "http://localhost:11434/v1"),
    _local("llama.cpp", "the llama.cpp server", "LLAMA_CPP", "http://localhost:8080/v1"),
    _local("lm-studio", "LM Studio", "LM_STUDIO", "http://localhost:1234/v1"),
    _local("vllm", "vLLM", "VLLM", "http://localhost:8000/v1"),
    _local("openai-compatible", "the OpenAI-compatible server", "OPENAI_COMPATIBLE", ""),
    _openai_like("alibaba", "Alibaba Cloud", "ALIBABA_API_KEY", "DASHSCOPE_API_KEY"),
    Provider("azure", "Azure OpenAI (chat completions)", "azure", *_AZURE),
    Provider("azure-responses", "Azure OpenAI (responses)", "azure", *_AZURE),
    Provider(
        "bedrock",
        "Amazon Bedrock",
        "bedrock",
        ("AWS_BEARER_TOKEN_BEDROCK",),
        module="boto3",
        extra="bedrock",
        sign_in=_AWS,
    ),
    Provider(
        "bedrock-mantle",
        "OpenAI's models at Amazon Bedrock",
        "bedrock",
        ("AWS_BEARER_TOKEN_BEDROCK",),
        module="boto3",
        extra="bedrock",
        sign_in=_AWS,
    ),
    _openai_like("cerebras", "Cerebras", "CEREBRAS_API_KEY"),
    Provider("cohere", "Cohere", "cohere", ("CO_API_KEY",), module="cohere", extra="cohere"),
    _openai_like("crusoe", "Crusoe", "CRUSOE_API_KEY"),
    _openai_like("deepseek", "DeepSeek", "DEEPSEEK_API_KEY"),
    _openai_like("fireworks", "Fireworks", "FIREWORKS_API_KEY"),
    _gateway("anthropic", "anthropic"),
    _gateway("bedrock", "boto3", "bedrock"),
    _gateway("google", "google.genai", "google"),
    _gateway("google-cloud", "google.genai", "google"),
    _gateway("groq", "groq", "groq"),
    _gateway("openai"),
    _openai_like("github", "GitHub Models", "GITHUB_API_KEY"),
    _openai_like("github-copilot", "GitHub Copilot", "GITHUB_COPILOT_API_KEY"),
    Provider(
        "google-cloud",
        "Google Cloud",
        "google",
        _GOOGLE,
        module="google.genai",
        extra="google",
        sign_in="sign in with gcloud auth application-default login",
    ),
    Provider("groq", "Groq", "groq", ("GROQ_API_KEY",), module="groq", extra="groq"),
    _openai_like("heroku", "Heroku", "HEROKU_INFERENCE_KEY"),
    Provider(
        "huggingface",
        "Hugging Face",
        "huggingface",
        ("HF_TOKEN",),
        module="huggingface_hub",
        extra="huggingface",
    ),
    _local("litellm", "the LiteLLM proxy", "LITELLM", "http://localhost:4000"),
    _openai_like("meta", "Meta", "META_API_KEY"),
    Provider(
        "mistral", "Mistral", "mistral", ("MISTRAL_API_KEY",), module="mistralai", extra="mistral"
    ),
    _openai_like("moonshotai", "Moonshot AI", "MOONSHOTAI_API_KEY"),
    _openai_like("nebius", "Nebius", "NEBIUS_API_KEY"),
    Provider(
        "openai-codex", "OpenAI, by the sign-in of Codex", "", sign_in="sign in with codex login"
    ),
    _openai_like("openrouter", "OpenRouter", "OPENROUTER_API_KEY"),
    _openai_like("ovhcloud", "OVHcloud", "OVHCLOUD_API_KEY"),
    _openai_like("sambanova", "SambaNova", "SAMBANOVA_API_KEY"),
    Provider("snowflake", "Snowflake", "snowflake", ("SNOWFLAKE_TOKEN",), ("SNOWFLAKE_ACCOUNT",)),
    _openai_like("together", "Together", "TOGETHER_API_KEY"),
    _openai_like("vercel", "Vercel", "VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
    Provider("xai", "xAI", "xai", ("XAI_API_KEY",), module="xai_sdk", extra="xai"),
    _openai_like("zai", "Z.ai", "ZAI_API_KEY"),
)

PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in _ALL}


def parse(name: str) -> ModelName:
    """The model that `PROVIDER:MODEL` names; raises `UnknownModel`, with the nearest provider."""
    said, colon, model = name.partition(":")
    provider = find_provider(said)
    if not colon or not model.strip():
        raise UnknownModel(
            f"{name!r} names a provider and no model: write {provider.name}:MODEL, "
            f"with a name of {provider.title}'s"
        )
    return ModelName(provider, model.strip())


def find_provider(name: str) -> Provider:
    """The provider called `name`; raises `UnknownModel`, with the nearest name."""
    provider = PROVIDERS.get(name)
    if provider is None:
        near = difflib.get_close_matches(name, PROVIDERS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownModel(
            f"no provider is called {name!r}; {hint}'agent-shell models' lists what there is"
        )
    return provider
